// Expressions and what is inside functions: imports read through slots, private members through their storage.
import type MagicString from 'magic-string'
import { ReloadError } from './errors.ts'
import type { LoweredNames } from './lowered-names.ts'
import type { CopiedName } from './module-code.ts'
import type { Imported, ModuleInterface } from './module-interface.ts'
import type { PrivateAccess } from './private-access.ts'
import type { SourcePositions } from './source-positions.ts'
import {
  Scopes,
  type SyntaxNode,
  childrenOf,
  isClass,
  isFunction,
  isReference,
  nameOf,
  nodeOf,
  nodesOf,
} from './syntax.ts'

const BODIES = new Set(['Program', 'BlockStatement', 'StaticBlock', 'SwitchCase', 'FunctionBody'])
/** Assignments after which the target may be the very value on the right. */
const KEEPS_VALUE: ReadonlySet<string> = new Set(['=', '??=', '||=', '&&='])

export interface ExpressionContext {
  readonly file: string
  readonly text: string
  readonly edit: MagicString
  readonly module: ModuleInterface
  readonly access: PrivateAccess
  readonly positions: SourcePositions
  /** Undefined for a source that runs as it is, types apart. */
  readonly lowered: LoweredNames | undefined
}

export class ExpressionRewriter {
  readonly copied: CopiedName[] = []
  readonly #file: string
  readonly #text: string
  readonly #edit: MagicString
  readonly #module: ModuleInterface
  readonly #access: PrivateAccess
  readonly #positions: SourcePositions
  readonly #lowered: LoweredNames | undefined
  readonly #scopes = new Scopes()
  /** Functions around the place that is visited. */
  #depth = 0

  constructor(context: ExpressionContext) {
    this.#file = context.file
    this.#text = context.text
    this.#edit = context.edit
    this.#module = context.module
    this.#access = context.access
    this.#positions = context.positions
    this.#lowered = context.lowered
  }

  /** Visits the members of a class, whose own name is not hidden inside it. */
  visitClass(node: SyntaxNode): void {
    this.#scopes.within({ ...node, id: null }, () => {
      for (const child of childrenOf(node)) if (child !== node['id']) this.visit(child, node)
    })
  }

  /** The values of the module that an expression reads at once, as expressions. */
  namesIn(node: SyntaxNode): string[] {
    const names = new Set<string>()
    const visit = (one: SyntaxNode, parent: SyntaxNode): void => {
      if (one.type === 'Identifier' && isReference(one, parent)) {
        const imported = this.#module.locals.get(nameOf(one))
        names.add(imported === undefined ? nameOf(one) : this.read(imported))
      }
      if (!isFunction(one)) for (const child of childrenOf(one)) visit(child, one)
    }
    visit(node, node)
    names.delete('undefined')
    return [...names]
  }

  read({ request, name }: Imported): string {
    if (name === '*') return `__i${request}`
    return /^[A-Za-z_$][\w$]*$/.test(name)
      ? `__i${request}.${name}`
      : `__i${request}[${JSON.stringify(name)}]`
  }

  #visitChildren(node: SyntaxNode): void {
    this.#scopes.within(node, () => {
      for (const child of childrenOf(node)) this.visit(child, node)
    })
  }

  readonly visit = (node: SyntaxNode, parent: SyntaxNode): void => {
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
      case 'MemberExpression':
        this.#member(node, parent)
        break
      case 'PropertyDefinition':
        if (node['static'] === true || node['value'] === null) break
        // The initialiser of a field runs with each instance.
        for (const child of childrenOf(node)) {
          const isValue = child === node['value']
          if (isValue) this.#depth += 1
          this.visit(child, node)
          if (isValue) this.#depth -= 1
        }
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
        if (this.#access.target(nodeOf(node, 'left'), this.visit)) {
          this.visit(nodeOf(node, 'right'), node)
          this.visit(nodeOf(node, 'body'), node)
          return
        }
        break
      case 'ChainExpression':
        this.#inChain(nodeOf(node, 'expression'), node)
        return
      case 'ArrayPattern':
        for (const element of nodesOf(node, 'elements'))
          if (element !== null && !this.#access.target(element, this.visit))
            this.visit(element, node)
        return
      case 'Property':
        if (parent.type === 'ObjectPattern') {
          const value = nodeOf(node, 'value')
          if (node['computed'] === true) this.visit(nodeOf(node, 'key'), node)
          if (!this.#access.target(value, this.visit)) this.visit(value, node)
          return
        }
        if (node['shorthand'] === true) {
          this.#shorthand(nodeOf(node, 'value'), node)
          return
        }
        break
      case 'AssignmentPattern':
        if (this.#access.target(nodeOf(node, 'left'), this.visit)) {
          this.visit(nodeOf(node, 'right'), node)
          return
        }
        break
      case 'RestElement':
        if (this.#access.target(nodeOf(node, 'argument'), this.visit)) return
    }
    if (isClass(node)) {
      this.#access.leave(node, () => this.#visitChildren(node))
      return
    }
    if (this.#assignsExport(node)) return
    if (this.#access.expression(node, this.visit, false)) return
    if (isFunction(node) || node.type === 'MethodDefinition') {
      this.#depth += 1
      // V8 does not see a live edit that reaches the very end of a function.
      const body = node.type === 'ArrowFunctionExpression' ? nodeOf(node, 'body') : undefined
      const isOpenEnded = body !== undefined && body.type !== 'BlockStatement'
      if (isOpenEnded) this.#edit.appendLeft(body.start, '(')
      this.#visitChildren(node)
      if (isOpenEnded) this.#edit.appendLeft(body.end, ')')
      this.#depth -= 1
      return
    }
    this.#visitChildren(node)
  }

  #inChain(node: SyntaxNode, parent: SyntaxNode): void {
    if (node.type !== 'MemberExpression' && node.type !== 'CallExpression') {
      this.visit(node, parent)
      return
    }
    const chained = (child: SyntaxNode, above: SyntaxNode): void => {
      if (child === above['object'] || child === above['callee']) this.#inChain(child, above)
      else this.visit(child, above)
    }
    if (this.#access.expression(node, chained, true)) return
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
    const imported = this.#module.locals.get(name)
    if (imported === undefined) return
    const isTarget =
      (parent.type === 'AssignmentExpression' && parent['left'] === node) ||
      parent.type === 'UpdateExpression'
    if (isTarget) this.#fail('RELOAD_SYNTAX', `cannot assign to the import "${name}"`, node)
    const isCalled =
      (parent.type === 'CallExpression' && parent['callee'] === node) ||
      (parent.type === 'TaggedTemplateExpression' && parent['tag'] === node)
    const text = this.read(imported)
    this.#edit.update(
      node.start,
      node.end,
      isCalled && imported.name !== '*' ? `(0, ${text})` : text,
    )
    if (imported.name !== '*') this.#noteCopy(imported, node, parent, isCalled)
  }

  /** An export that is read from a namespace. */
  #member(node: SyntaxNode, parent: SyntaxNode): void {
    const object = nodeOf(node, 'object')
    if (object.type !== 'Identifier' || node['computed'] === true) return
    const imported = this.#scopes.isHidden(nameOf(object))
      ? undefined
      : this.#module.locals.get(nameOf(object))
    if (imported?.name !== '*') return
    const isCalled =
      (parent.type === 'CallExpression' && parent['callee'] === node) ||
      (parent.type === 'TaggedTemplateExpression' && parent['tag'] === node)
    const name = nameOf(node['property'])
    this.#noteCopy({ request: imported.request, name }, node, parent, isCalled)
  }

  /** Notes a read whose value may be kept: later versions of the export do not reach what was kept. */
  #noteCopy(imported: Imported, node: SyntaxNode, parent: SyntaxNode, isCalled: boolean): void {
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
    if (!isUse || isEvaluated) this.#copy(imported, node)
  }

  #shorthand(value: SyntaxNode, parent: SyntaxNode): void {
    const name = nameOf(value)
    const imported = this.#scopes.isHidden(name) ? undefined : this.#module.locals.get(name)
    if (imported === undefined) return
    this.#edit.appendLeft(value.end, `: ${this.read(imported)}`)
    this.#copy(imported, parent)
  }

  #copy(imported: Imported, { start }: SyntaxNode): void {
    this.copied.push({
      ...imported,
      line: this.#positions.line(start),
      isTopLevel: this.#depth === 0,
    })
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
    const weak = this.#lowered?.weakOf(name)
    const right = node['right'] as SyntaxNode | undefined
    if (weak !== undefined && right?.type === 'NewExpression') {
      this.#edit.update(
        right.start,
        right.end,
        `__hot.weak(${JSON.stringify(weak)}, () => ${this.#text.slice(right.start, right.end)})`,
      )
      return true
    }
    const names = this.#module.exportsOf.get(name)
    if (names === undefined || !this.#module.reassigned.has(name)) return false
    this.#edit.appendLeft(node.start, `__hot.touch(${JSON.stringify(names)}, `)
    this.#visitChildren(node)
    this.#edit.appendLeft(node.end, ')')
    return true
  }

  #fail(
    code: 'RELOAD_SYNTAX' | 'RELOAD_TOP_LEVEL_AWAIT',
    message: string,
    node: SyntaxNode,
  ): never {
    throw new ReloadError(code, message, { file: this.#file, ...this.#positions.place(node.start) })
  }
}
