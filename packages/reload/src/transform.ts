// A module's text to a function body: imports read through slots, exports written to them.
import MagicString from 'magic-string'
import { ClassRewriter } from './class-rewriter.ts'
import { ReloadError, placeAt } from './errors.ts'
import type { ClassShape, FunctionShape, ImportedName, ModuleCode } from './module-code.ts'
import { alignLines } from './align-lines.ts'
import { stripTypes } from './strip-types.ts'
import {
  Scopes,
  type SyntaxNode,
  boundNames,
  childrenOf,
  isClass,
  isFunction,
  isReference,
  nameOf,
  nodeOf,
  nodesOf,
  parse,
} from './syntax.ts'

/** Assignments after which the target may be the very value on the right. */
const KEEPS_VALUE: ReadonlySet<string> = new Set(['=', '??=', '||=', '&&='])

interface Imported {
  readonly request: number
  readonly name: string
}

const BODIES = new Set(['Program', 'BlockStatement', 'StaticBlock', 'SwitchCase', 'FunctionBody'])
const specifierName = (node: SyntaxNode): string =>
  (node.type === 'Literal' ? node['value'] : node['name']) as string
const slotOf = (name: string): string => `__x[${JSON.stringify(name)}]`

/** Rewrites a module. Throws a `ReloadError` that names the place of what it cannot accept. */
export function transform(file: string, source: string): ModuleCode {
  const { code, lines } = stripTypes(file, source)
  const tree = parse(file, code)
  const starts = [0]
  for (let at = code.indexOf('\n'); at !== -1; at = code.indexOf('\n', at + 1)) starts.push(at + 1)
  return new Transformer(file, code, tree, starts, lines).run()
}

/** Rewritten code without the bodies of its functions: what a live edit cannot change. */
export function skeletonOf(file: string, code: string): string {
  const edit = new MagicString(code)
  const visit = (node: SyntaxNode): void => {
    const isFactory = isFunction(node) && nodesOf(node, 'params')[0]?.['name'] === '__p'
    if (isFunction(node) && !isFactory) {
      const body = nodeOf(node, 'body')
      if (body.end > body.start) edit.remove(body.start, body.end)
      return
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(parse(file, code))
  return edit.toString().replace(/\s+/g, ' ')
}

class Transformer {
  readonly #file: string
  readonly #text: string
  readonly #tree: SyntaxNode
  readonly #starts: readonly number[]
  readonly #lines: readonly (number | undefined)[] | undefined
  readonly #edit: MagicString
  readonly #classRewriter: ClassRewriter
  readonly #scopes = new Scopes()
  readonly #requests: string[] = []
  readonly #attributes: string[] = []
  readonly #requestLines: number[] = []
  readonly #locals = new Map<string, Imported>()
  readonly #imports: ImportedName[] = []
  readonly #copied: ImportedName[] = []
  /** Exported names by the local name behind them. */
  readonly #exportsOf = new Map<string, string[]>()
  readonly #exports: string[] = []
  readonly #stars: number[] = []
  readonly #classes = new Map<string, ClassShape>()
  readonly #functions = new Map<string, FunctionShape>()
  readonly #reassigned = new Set<string>()
  readonly #weak = new Map<string, string>()
  readonly #aliases = new Map<string, string>()
  #head = ''
  #depth = 0

  constructor(
    file: string,
    text: string,
    tree: SyntaxNode,
    starts: readonly number[],
    lines: readonly (number | undefined)[] | undefined,
  ) {
    this.#file = file
    this.#text = text
    this.#tree = tree
    this.#starts = starts
    this.#lines = lines
    this.#edit = new MagicString(text)
    this.#classRewriter = new ClassRewriter(text, this.#edit, (offset) => this.#line(offset))
  }

  run(): ModuleCode {
    const body = nodesOf(this.#tree, 'body')
    for (const statement of body) this.#declare(statement)
    if (this.#exportsOf.size > 0) this.#findReassigned(this.#tree)
    for (const statement of body) this.#findAlias(statement)
    for (const statement of body) this.#findWeak(statement)
    for (const statement of body) this.#statement(statement)
    const temporaries = this.#classRewriter.temporaries
    const head =
      `"use strict";${temporaries.length > 0 ? ` let ${temporaries.join(', ')};` : ''}` + this.#head
    let code = this.#edit.toString()
    if (this.#lines !== undefined) code = alignLines(code, this.#text, this.#tree, this.#lines)
    return {
      code: head + code,
      requests: this.#requests,
      attributes: this.#attributes,
      requestLines: this.#requestLines,
      imports: this.#imports,
      exports: this.#exports,
      stars: this.#stars,
      classes: this.#classes,
      functions: this.#functions,
      copied: this.#copied,
    }
  }

  #line(offset: number): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    for (let at = low; this.#lines !== undefined && at >= 0; at -= 1)
      if (this.#lines[at] !== undefined) return this.#lines[at]! + 1
    return low + 1
  }

  #fail(
    code: 'RELOAD_SYNTAX' | 'RELOAD_TOP_LEVEL_AWAIT',
    message: string,
    node: SyntaxNode,
  ): never {
    const { column } = placeAt(this.#file, this.#text, node.start)
    const line = this.#line(node.start)
    throw new ReloadError(code, message, {
      file: this.#file,
      line,
      ...(this.#lines === undefined && column !== undefined && { column }),
    })
  }

  #request(statement: SyntaxNode): number {
    const specifier = (statement['source'] as { value: string }).value
    const known = this.#requests.indexOf(specifier)
    if (known !== -1) return known
    const attributes = (statement['attributes'] ?? []) as SyntaxNode[]
    const texts = attributes.map(({ start, end }) => this.#text.slice(start, end))
    this.#attributes.push(texts.length > 0 ? ` with { ${texts.join(', ')} }` : '')
    this.#requestLines.push(this.#line(statement.start))
    return this.#requests.push(specifier) - 1
  }

  /** Notes what a top-level statement imports and exports. */
  #declare(statement: SyntaxNode): void {
    if (statement.type === 'ImportDeclaration') {
      const request = this.#request(statement)
      for (const specifier of nodesOf(statement, 'specifiers')) {
        const name =
          specifier.type === 'ImportNamespaceSpecifier'
            ? '*'
            : specifier.type === 'ImportDefaultSpecifier'
              ? 'default'
              : specifierName(nodeOf(specifier, 'imported'))
        this.#locals.set(nameOf(specifier['local']), { request, name })
        this.#imports.push({ request, name, line: this.#line(specifier.start) })
      }
    } else if (statement.type === 'ExportAllDeclaration') {
      const request = this.#request(statement)
      if (statement['exported'] === null) this.#stars.push(request)
      else this.#forward(specifierName(nodeOf(statement, 'exported')), request, '*', statement)
    } else if (statement.type === 'ExportDefaultDeclaration') {
      const value = nodeOf(statement, 'declaration')
      const id = (value['id'] ?? null) as SyntaxNode | null
      const isDeclaration = isClass(value) || value.type === 'FunctionDeclaration'
      this.#export('default', isDeclaration ? (id === null ? '__default' : nameOf(id)) : '')
    } else if (statement.type === 'ExportNamedDeclaration') {
      const declaration = statement['declaration'] as SyntaxNode | null
      if (declaration?.type === 'VariableDeclaration')
        for (const declarator of nodesOf(declaration, 'declarations'))
          for (const name of boundNames(nodeOf(declarator, 'id'))) this.#export(name, name)
      else if (declaration !== null && declaration !== undefined)
        this.#export(nameOf(declaration['id']), nameOf(declaration['id']))
      const request = statement['source'] === null ? -1 : this.#request(statement)
      for (const specifier of nodesOf(statement, 'specifiers')) {
        const local = specifierName(nodeOf(specifier, 'local'))
        const exported = specifierName(nodeOf(specifier, 'exported'))
        if (request === -1) this.#export(exported, local)
        else this.#forward(exported, request, local, specifier)
      }
    }
  }

  #export(name: string, local: string): void {
    this.#exports.push(name)
    const names = this.#exportsOf.get(local)
    if (names === undefined) this.#exportsOf.set(local, [name])
    else names.push(name)
  }

  #forward(name: string, request: number, imported: string, node: SyntaxNode): void {
    this.#exports.push(name)
    this.#imports.push({ request, name: imported, line: this.#line(node.start) })
    const value = imported === '*' ? `__i${request}` : `__i${request}[${JSON.stringify(imported)}]`
    this.#head += ` __hot.live(${JSON.stringify(name)}, () => ${value});`
  }

  /** Finds exported variables that are assigned after their declaration: those are read through a getter. */
  #findReassigned(node: SyntaxNode): void {
    const targets: SyntaxNode[] = []
    if (node.type === 'AssignmentExpression') targets.push(nodeOf(node, 'left'))
    else if (node.type === 'UpdateExpression') targets.push(nodeOf(node, 'argument'))
    else if (node.type === 'ForInStatement' || node.type === 'ForOfStatement')
      targets.push(nodeOf(node, 'left'))
    for (const target of targets) for (const name of boundNames(target)) this.#reassigned.add(name)
    for (const child of childrenOf(node)) this.#findReassigned(child)
  }

  /** A decorated class that names itself is lowered to `_C = class _C`, then `C = _C`: the class is C. */
  #findAlias(statement: SyntaxNode): void {
    if (this.#lines === undefined || statement.type !== 'VariableDeclaration') return
    for (const declarator of nodesOf(statement, 'declarations')) {
      const value = declarator['init'] as SyntaxNode | null
      if (value?.type === 'Identifier' && nameOf(value).startsWith('_'))
        this.#aliases.set(nameOf(value), nameOf(declarator['id']))
    }
  }

  /** The WeakMaps that lowered decorators keep private members in, named by the class that fills them. */
  #findWeak(node: SyntaxNode, className = ''): void {
    if (this.#lines === undefined) return
    const own = isClass(node) && node['id'] !== null ? nameOf(node['id']) : className
    if (node.type === 'CallExpression' && nodeOf(node, 'callee')['name'] === '__privateAdd') {
      const [, member] = nodesOf(node, 'arguments')
      if (member?.type === 'Identifier')
        this.#weak.set(nameOf(member), this.#weakKey(this.#aliases.get(own) ?? own, nameOf(member)))
    }
    for (const child of childrenOf(node)) this.#findWeak(child, own)
  }

  /** Without the number that made the lowered name unique in its file, if that leaves no other of the class. */
  #weakKey(className: string, member: string): string {
    const key = `${className}#${member.replace(/\d+$/, '')}`
    const others = [...this.#weak].filter(([name]) => name !== member).map(([, other]) => other)
    return others.includes(key) ? `${className}#${member}` : key
  }

  #statement(statement: SyntaxNode): void {
    switch (statement.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        this.#blank(statement.start, statement.end)
        return
      case 'ExportNamedDeclaration': {
        const declaration = statement['declaration'] as SyntaxNode | null
        if (declaration === null || declaration === undefined) {
          this.#blank(statement.start, statement.end)
          for (const specifier of nodesOf(statement, 'specifiers')) {
            const local = specifierName(nodeOf(specifier, 'local'))
            const imported = statement['source'] === null ? this.#locals.get(local) : undefined
            if (imported !== undefined)
              this.#head += ` __hot.live(${JSON.stringify(specifierName(nodeOf(specifier, 'exported')))}, () => ${this.#read(imported)});`
          }
          return
        }
        this.#edit.remove(statement.start, declaration.start)
        this.#declaration(declaration, statement)
        return
      }
      case 'ExportDefaultDeclaration':
        this.#default(statement)
        return
      default:
        this.#declaration(statement, statement)
    }
  }

  #default(statement: SyntaxNode): void {
    const value = nodeOf(statement, 'declaration')
    const id = (value['id'] ?? null) as SyntaxNode | null
    if (isClass(value)) {
      this.#edit.remove(statement.start, value.start)
      this.#class(
        value,
        id === null ? '__default' : nameOf(id),
        id === null ? 'default' : nameOf(id),
      )
    } else if (value.type === 'FunctionDeclaration') {
      this.#edit.remove(statement.start, value.start)
      if (id === null) {
        const params = this.#text.indexOf('(', value.start)
        this.#edit.appendLeft(params, ' __default')
        this.#head +=
          ' Object.defineProperty(__default, "name", { value: "default", configurable: true });'
      }
      this.#function(value, id === null ? '__default' : nameOf(id))
      this.#visit(value, statement)
    } else {
      const isAnonymous = isFunction(value) || (isClass(value) && value['id'] === null)
      this.#edit.update(
        statement.start,
        value.start,
        isAnonymous ? ';__x["default"] = ({ "default": ' : ';__x["default"] = (',
      )
      this.#visit(value, statement)
      this.#edit.appendLeft(value.end, isAnonymous ? ' })["default"]' : ')')
      if (isFunction(value)) this.#noteFunction('default', value, statement)
    }
  }

  #declaration(node: SyntaxNode, statement: SyntaxNode): void {
    if (node.type === 'ClassDeclaration') {
      this.#class(node, nameOf(node['id']), nameOf(node['id']))
      return
    }
    if (node.type === 'FunctionDeclaration') {
      this.#function(node, nameOf(node['id']))
      this.#visit(node, statement)
      return
    }
    if (node.type !== 'VariableDeclaration') {
      this.#visit(node, this.#tree)
      return
    }
    const initialise: string[] = []
    const exported: string[] = []
    for (const declarator of nodesOf(node, 'declarations')) {
      const id = nodeOf(declarator, 'id')
      const value = declarator['init'] as SyntaxNode | null
      const name = id.type === 'Identifier' ? nameOf(id) : ''
      const inner = value?.type === 'ClassExpression' ? (value['id'] as SyntaxNode | null) : null
      if (
        value?.type === 'ClassExpression' &&
        name !== '' &&
        (inner === null || nameOf(inner) === name)
      ) {
        const own = this.#aliases.get(name) ?? name
        const { text, shape } = this.#openClass(value, own)
        this.#classes.set(own, shape)
        initialise.push(text)
      } else {
        this.#visit(declarator, node)
        if (value !== null && isFunction(value) && name !== '')
          this.#noteFunction(name, value, node)
      }
      exported.push(...boundNames(id))
    }
    const after = [...initialise, ...exported.flatMap((name) => this.#exportText(name))]
    if (after.length > 0) this.#edit.appendLeft(node.end, `;${after.join('; ')};`)
  }

  #exportText(local: string): string[] {
    return (this.#exportsOf.get(local) ?? []).map((name) =>
      this.#reassigned.has(local)
        ? `__hot.live(${JSON.stringify(name)}, () => ${local})`
        : `${slotOf(name)} = ${local}`,
    )
  }

  #function(node: SyntaxNode, name: string): void {
    for (const text of this.#exportText(name)) this.#head += ` ${text};`
    this.#noteFunction(name, node, node)
  }

  #noteFunction(name: string, node: SyntaxNode, place: SyntaxNode): void {
    if (this.#lines !== undefined && name.startsWith('__')) return
    this.#functions.set(name, {
      line: this.#line(place.start),
      text: this.#text.slice(node.start, node.end).replace(/\s+/g, ' '),
      suspends: node['async'] === true || node['generator'] === true,
    })
  }

  #class(node: SyntaxNode, local: string, name: string): void {
    this.#edit.appendLeft(node.start, `let ${local} = `)
    const { text, shape } = this.#openClass(node, name)
    this.#classes.set(name, shape)
    this.#edit.appendLeft(node.end, `; ${[text, ...this.#exportText(local)].join('; ')};`)
  }

  #openClass(node: SyntaxNode, name: string): { text: string; shape: ClassShape } {
    const parent = node['superClass'] as SyntaxNode | null
    const names = parent === null || parent.type === 'Identifier' ? [] : this.#namesIn(parent)
    const opened = this.#classRewriter.open(node, name, names, () => {
      this.#scopes.within({ ...node, id: null }, () => {
        for (const child of childrenOf(node)) if (child !== node['id']) this.#visit(child, node)
      })
    })
    const isLowered = [...this.#weak.values()].some((key) => key.startsWith(`${name}#`))
    return { text: opened.text, shape: { ...opened.shape, isLowered } }
  }

  /** The values of the module that an expression reads at once, as expressions. */
  #namesIn(node: SyntaxNode): string[] {
    const names = new Set<string>()
    const visit = (one: SyntaxNode, parent: SyntaxNode): void => {
      if (one.type === 'Identifier' && isReference(one, parent)) {
        const imported = this.#locals.get(nameOf(one))
        names.add(imported === undefined ? nameOf(one) : this.#read(imported))
      }
      if (!isFunction(one)) for (const child of childrenOf(one)) visit(child, one)
    }
    visit(node, node)
    names.delete('undefined')
    return [...names]
  }

  #read({ request, name }: Imported): string {
    if (name === '*') return `__i${request}`
    return /^[A-Za-z_$][\w$]*$/.test(name)
      ? `__i${request}.${name}`
      : `__i${request}[${JSON.stringify(name)}]`
  }

  #visitChildren(node: SyntaxNode): void {
    this.#scopes.within(node, () => {
      for (const child of childrenOf(node)) this.#visit(child, node)
    })
  }

  readonly #visit = (node: SyntaxNode, parent: SyntaxNode): void => {
    switch (node.type) {
      case 'Identifier':
        this.#identifier(node, parent)
        return
      case 'ExpressionStatement':
        // What replaces its first word may begin with a parenthesis.
        if (BODIES.has(parent.type) && typeof node['directive'] !== 'string')
          this.#edit.appendLeft(node.start, ';')
        this.#visitChildren(node)
        return
      case 'MetaProperty':
        if (nameOf(node['meta']) === 'import') this.#edit.update(node.start, node.end, '__hot.meta')
        return
      case 'ImportExpression':
        this.#edit.update(node.start, node.start + 'import'.length, '__hot.import')
        this.#visitChildren(node)
        return
      case 'AwaitExpression':
        this.#refuseAwait(node)
        break
      case 'ForOfStatement':
        if (node['await'] === true) this.#refuseAwait(node)
        if (this.#classRewriter.target(nodeOf(node, 'left'), this.#visit)) {
          this.#visit(nodeOf(node, 'right'), node)
          this.#visit(nodeOf(node, 'body'), node)
          return
        }
        break
      case 'ChainExpression':
        this.#inChain(nodeOf(node, 'expression'), node)
        return
      case 'ArrayPattern':
        for (const element of nodesOf(node, 'elements'))
          if (element !== null && !this.#classRewriter.target(element, this.#visit))
            this.#visit(element, node)
        return
      case 'Property':
        if (parent.type === 'ObjectPattern') {
          const value = nodeOf(node, 'value')
          if (node['computed'] === true) this.#visit(nodeOf(node, 'key'), node)
          if (!this.#classRewriter.target(value, this.#visit)) this.#visit(value, node)
          return
        }
        if (node['shorthand'] === true) {
          this.#shorthand(nodeOf(node, 'value'), node)
          return
        }
        break
      case 'AssignmentPattern':
        if (this.#classRewriter.target(nodeOf(node, 'left'), this.#visit)) {
          this.#visit(nodeOf(node, 'right'), node)
          return
        }
        break
      case 'RestElement':
        if (this.#classRewriter.target(nodeOf(node, 'argument'), this.#visit)) return
    }
    if (isClass(node)) {
      this.#classRewriter.leave(node, () => this.#visitChildren(node))
      return
    }
    if (this.#assignsExport(node)) return
    if (this.#classRewriter.expression(node, this.#visit, false)) return
    if (isFunction(node) || node.type === 'MethodDefinition') {
      this.#depth += 1
      this.#visitChildren(node)
      this.#depth -= 1
      return
    }
    this.#visitChildren(node)
  }

  #inChain(node: SyntaxNode, parent: SyntaxNode): void {
    if (node.type !== 'MemberExpression' && node.type !== 'CallExpression') {
      this.#visit(node, parent)
      return
    }
    const chained = (child: SyntaxNode, above: SyntaxNode): void => {
      if (child === above['object'] || child === above['callee']) this.#inChain(child, above)
      else this.#visit(child, above)
    }
    if (this.#classRewriter.expression(node, chained, true)) return
    for (const child of childrenOf(node)) chained(child, node)
  }

  #refuseAwait(node: SyntaxNode): void {
    if (this.#depth > 0) return
    this.#fail(
      'RELOAD_TOP_LEVEL_AWAIT',
      'a hot module is evaluated in one step and cannot await at its top level; move the await into a function',
      node,
    )
  }

  #identifier(node: SyntaxNode, parent: SyntaxNode): void {
    const name = nameOf(node)
    if (!isReference(node, parent) || this.#scopes.isHidden(name)) return
    const imported = this.#locals.get(name)
    if (imported === undefined) return
    const isTarget =
      (parent.type === 'AssignmentExpression' && parent['left'] === node) ||
      parent.type === 'UpdateExpression'
    if (isTarget) this.#fail('RELOAD_SYNTAX', `cannot assign to the import "${name}"`, node)
    const isCalled =
      (parent.type === 'CallExpression' && parent['callee'] === node) ||
      (parent.type === 'TaggedTemplateExpression' && parent['tag'] === node)
    const text = this.#read(imported)
    this.#edit.update(
      node.start,
      node.end,
      isCalled && imported.name !== '*' ? `(0, ${text})` : text,
    )
    const isUse =
      isCalled ||
      (parent.type === 'NewExpression' && parent['callee'] === node) ||
      (parent.type === 'MemberExpression' && parent['object'] === node) ||
      parent['superClass'] === node ||
      parent.type === 'BinaryExpression' ||
      parent.type === 'UnaryExpression' ||
      // `score += POINTS` keeps a sum, not POINTS.
      (parent.type === 'AssignmentExpression' && !KEEPS_VALUE.has(String(parent['operator'])))
    const isEvaluated = this.#depth === 0 && parent['superClass'] !== node
    if ((!isUse || isEvaluated) && imported.name !== '*')
      this.#copied.push({ ...imported, line: this.#line(node.start) })
  }

  #shorthand(value: SyntaxNode, parent: SyntaxNode): void {
    const name = nameOf(value)
    const imported = this.#scopes.isHidden(name) ? undefined : this.#locals.get(name)
    if (imported === undefined) return
    this.#edit.appendLeft(value.end, `: ${this.#read(imported)}`)
    this.#copied.push({ ...imported, line: this.#line(parent.start) })
  }

  /** An assignment to an exported variable tells the native importers; one of lowered decorators keeps its map. */
  #assignsExport(node: SyntaxNode): boolean {
    const target =
      node.type === 'AssignmentExpression'
        ? nodeOf(node, 'left')
        : node.type === 'UpdateExpression'
          ? nodeOf(node, 'argument')
          : undefined
    if (target?.type !== 'Identifier' || this.#scopes.isHidden(nameOf(target))) return false
    const name = nameOf(target)
    const weak = this.#weak.get(name)
    const right = node['right'] as SyntaxNode | undefined
    if (weak !== undefined && right?.type === 'NewExpression') {
      this.#edit.update(
        right.start,
        right.end,
        `__hot.weak(${JSON.stringify(weak)}, () => ${this.#text.slice(right.start, right.end)})`,
      )
      return true
    }
    const names = this.#exportsOf.get(name)
    if (names === undefined || !this.#reassigned.has(name)) return false
    this.#edit.appendLeft(node.start, `__hot.touch(${JSON.stringify(names)}, `)
    this.#visitChildren(node)
    this.#edit.appendLeft(node.end, ')')
    return true
  }

  #blank(start: number, end: number): void {
    const lines = this.#text.slice(start, end).split('\n').length - 1
    this.#edit.update(start, end, `;${'\n'.repeat(lines)}`)
  }
}
