// A module's text to a function body: its statements; what is in them is rewritten by `ExpressionRewriter`.
import { pathToFileURL } from 'node:url'
import MagicString from 'magic-string'
import { ClassRewriter } from './class-rewriter.ts'
import { sourceShapes } from './class-shape.ts'
import { ExpressionRewriter } from './expression-rewriter.ts'
import { LoweredNames } from './lowered-names.ts'
import type { ClassShape, FunctionShape, ModuleCode } from './module-code.ts'
import { ModuleInterface, specifierName } from './module-interface.ts'
import { PrivateAccess } from './private-access.ts'
import { type Mappings, encodeMappings, mapComment, mapText } from './source-map.ts'
import { SourcePositions } from './source-positions.ts'
import { stripTypes } from './strip-types.ts'
import {
  type SyntaxNode,
  boundNames,
  isClass,
  isFunction,
  nameOf,
  nodeOf,
  nodesOf,
  parse,
} from './syntax.ts'

export { skeletonOf } from './skeleton.ts'

const slotOf = (name: string): string => `__x[${JSON.stringify(name)}]`

/** Rewrites a module. Throws a `ReloadError` that names the place of what it cannot accept. */
export function transform(file: string, source: string): ModuleCode {
  const { code, mappings } = stripTypes(file, source)
  return new Transformer(file, source, code, mappings).run()
}

class Transformer {
  readonly #file: string
  readonly #source: string
  readonly #text: string
  readonly #tree: SyntaxNode
  readonly #edit: MagicString
  readonly #positions: SourcePositions
  readonly #module: ModuleInterface
  readonly #lowered: LoweredNames | undefined
  readonly #access: PrivateAccess
  readonly #classRewriter: ClassRewriter
  readonly #expressions: ExpressionRewriter
  readonly #classes = new Map<string, ClassShape>()
  readonly #functions = new Map<string, FunctionShape>()

  constructor(file: string, source: string, text: string, mappings: Mappings | undefined) {
    const tree = parse(file, text)
    const edit = new MagicString(text)
    const positions = new SourcePositions(text, tree, mappings)
    const lineOf = (offset: number): number => positions.line(offset)
    const module = new ModuleInterface(source, text, tree, lineOf)
    const lowered = mappings && new LoweredNames(nodesOf(tree, 'body'))
    const access = new PrivateAccess(text, edit)
    this.#file = file
    this.#source = source
    this.#text = text
    this.#tree = tree
    this.#edit = edit
    this.#positions = positions
    this.#module = module
    this.#lowered = lowered
    this.#access = access
    this.#classRewriter = new ClassRewriter(text, edit, access, lineOf)
    this.#expressions = new ExpressionRewriter({
      file,
      text,
      edit,
      module,
      access,
      positions,
      lowered,
    })
  }

  run(): ModuleCode {
    for (const statement of nodesOf(this.#tree, 'body')) this.#statement(statement)
    const { temporaries } = this.#access
    const head =
      `"use strict";${temporaries.length > 0 ? ` let ${temporaries.join(', ')};` : ''}` +
      this.#module.head
    const generated = this.#positions.generated(this.#edit, head)
    const mappings = encodeMappings(generated.mappings)
    if (this.#lowered !== undefined)
      for (const [name, shape] of sourceShapes(this.#file, this.#source)) {
        const known = this.#classes.get(name)
        if (known !== undefined) this.#classes.set(name, { ...shape, isLowered: known.isLowered })
      }
    const map = mapText(pathToFileURL(this.#file).href, mappings)
    const { requests, attributes, requestLines, imports, exports, stars } = this.#module
    return {
      // A line between: V8's live edit takes changed lines beside each other for one change.
      code: `${generated.code}\n\n${mapComment(map)}`,
      mappings,
      requests,
      attributes,
      requestLines,
      imports,
      exports,
      stars,
      classes: this.#classes,
      functions: this.#functions,
      copied: this.#expressions.copied,
    }
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
            const imported =
              statement['source'] === null ? this.#module.locals.get(local) : undefined
            if (imported !== undefined)
              this.#module.head += ` __hot.live(${JSON.stringify(specifierName(nodeOf(specifier, 'exported')))}, () => ${this.#expressions.read(imported)});`
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
        this.#module.head +=
          ' Object.defineProperty(__default, "name", { value: "default", configurable: true });'
      }
      this.#function(value, id === null ? '__default' : nameOf(id))
      this.#expressions.visit(value, statement)
    } else {
      const isAnonymous = isFunction(value) || (isClass(value) && value['id'] === null)
      this.#edit.update(
        statement.start,
        value.start,
        isAnonymous ? ';__x["default"] = ({ "default": ' : ';__x["default"] = (',
      )
      this.#expressions.visit(value, statement)
      this.#edit.appendLeft(value.end, isAnonymous ? ' })["default"]' : ')')
      if (isFunction(value)) this.#noteFunction('default', value, statement)
    }
  }

  #declaration(node: SyntaxNode, statement: SyntaxNode): void {
    if (node.type === 'ClassDeclaration') {
      const name = nameOf(node['id'])
      this.#class(node, name, name === this.#module.anonymous ? 'default' : name)
      return
    }
    if (node.type === 'FunctionDeclaration') {
      this.#function(node, nameOf(node['id']))
      this.#expressions.visit(node, statement)
      return
    }
    if (node.type !== 'VariableDeclaration') {
      this.#expressions.visit(node, this.#tree)
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
        const own = this.#lowered?.classOf(name) ?? name
        const { text, shape } = this.#openClass(value, own)
        this.#classes.set(own, shape)
        initialise.push(text)
      } else {
        this.#expressions.visit(declarator, node)
        if (value !== null && isFunction(value) && name !== '')
          this.#noteFunction(name, value, node)
      }
      if (name === this.#module.anonymous && name !== '') initialise.push(this.#nameDefault())
      exported.push(...boundNames(id))
    }
    const after = [...initialise, ...exported.flatMap((name) => this.#exportText(name))]
    if (after.length > 0) this.#edit.appendLeft(node.end, `;${after.join('; ')};`)
  }

  #exportText(local: string): string[] {
    return (this.#module.exportsOf.get(local) ?? []).map((name) =>
      this.#module.reassigned.has(local)
        ? `__hot.live(${JSON.stringify(name)}, () => ${local})`
        : `${slotOf(name)} = ${local}`,
    )
  }

  #function(node: SyntaxNode, name: string): void {
    if (name === this.#module.anonymous) this.#module.head += ` ${this.#nameDefault()};`
    for (const text of this.#exportText(name)) this.#module.head += ` ${text};`
    this.#noteFunction(name, node, node)
  }

  #nameDefault(): string {
    return `__hot.nameDefault(${this.#module.anonymous}, ${JSON.stringify(this.#module.anonymous)})`
  }

  #noteFunction(local: string, node: SyntaxNode, place: SyntaxNode): void {
    const name = local === this.#module.anonymous ? 'default' : local
    if (this.#lowered !== undefined && name.startsWith('__')) return
    this.#functions.set(name, {
      line: this.#positions.line(place.start),
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
    const names =
      parent === null || parent.type === 'Identifier' ? [] : this.#expressions.namesIn(parent)
    const opened = this.#classRewriter.open(node, name, names, () =>
      this.#expressions.visitClass(node),
    )
    const isLowered = this.#lowered?.keepsPrivatesOf(name) ?? false
    return { text: opened.text, shape: { ...opened.shape, isLowered } }
  }

  #blank(start: number, end: number): void {
    const lines = this.#text.slice(start, end).split('\n').length - 1
    this.#edit.update(start, end, `;${'\n'.repeat(lines)}`)
  }
}
