// What a module imports and exports, by its top-level statements.
import type { ImportedName } from './module-code.ts'
import {
  type SyntaxNode,
  boundNames,
  childrenOf,
  isClass,
  nameOf,
  nodeOf,
  nodesOf,
} from './syntax.ts'

export interface Imported {
  readonly request: number
  /** The exported name, `*` for the namespace. */
  readonly name: string
}

export const specifierName = (node: SyntaxNode): string =>
  (node.type === 'Literal' ? node['value'] : node['name']) as string

export class ModuleInterface {
  readonly requests: string[] = []
  readonly attributes: string[] = []
  readonly requestLines: number[] = []
  readonly imports: ImportedName[] = []
  readonly exports: string[] = []
  readonly stars: number[] = []
  /** Imports by the name that the module knows them by. */
  readonly locals: Map<string, Imported> = new Map()
  /** Exported names by the local name behind them. */
  readonly exportsOf: Map<string, string[]> = new Map()
  /** Variables that are assigned after their declaration: those are exported through a getter. */
  readonly reassigned: Set<string> = new Set()
  /** The name that lowering gave to a default export that has none. */
  anonymous = ''
  /** Code that comes before the module's own. */
  head = ''
  readonly #source: string
  readonly #text: string
  readonly #lineOf: (offset: number) => number

  /** @param text - The text that `tree` stems from, which differs from the source when that was lowered. */
  constructor(source: string, text: string, tree: SyntaxNode, lineOf: (offset: number) => number) {
    this.#source = source
    this.#text = text
    this.#lineOf = lineOf
    for (const statement of nodesOf(tree, 'body')) this.#declare(statement)
    if (this.exportsOf.size > 0) this.#findReassigned(tree)
  }

  #request(statement: SyntaxNode): number {
    const specifier = (statement['source'] as { value: string }).value
    const known = this.requests.indexOf(specifier)
    if (known !== -1) return known
    const attributes = (statement['attributes'] ?? []) as SyntaxNode[]
    const texts = attributes.map(({ start, end }) => this.#text.slice(start, end))
    this.attributes.push(texts.length > 0 ? ` with { ${texts.join(', ')} }` : '')
    this.requestLines.push(this.#lineOf(statement.start))
    return this.requests.push(specifier) - 1
  }

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
        this.locals.set(nameOf(specifier['local']), { request, name })
        this.imports.push({ request, name, line: this.#lineOf(specifier.start) })
      }
    } else if (statement.type === 'ExportAllDeclaration') {
      const request = this.#request(statement)
      if (statement['exported'] === null) this.stars.push(request)
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
        if (exported === 'default' && !this.#source.includes(local)) this.anonymous = local
        if (request === -1) this.#export(exported, local)
        else this.#forward(exported, request, local, specifier)
      }
    }
  }

  #export(name: string, local: string): void {
    this.exports.push(name)
    const names = this.exportsOf.get(local)
    if (names === undefined) this.exportsOf.set(local, [name])
    else names.push(name)
  }

  #forward(name: string, request: number, imported: string, node: SyntaxNode): void {
    this.exports.push(name)
    this.imports.push({ request, name: imported, line: this.#lineOf(node.start) })
    const value = imported === '*' ? `__i${request}` : `__i${request}[${JSON.stringify(imported)}]`
    this.head += ` __hot.live(${JSON.stringify(name)}, () => ${value});`
  }

  #findReassigned(node: SyntaxNode): void {
    const targets: SyntaxNode[] = []
    if (node.type === 'AssignmentExpression') targets.push(nodeOf(node, 'left'))
    else if (node.type === 'UpdateExpression') targets.push(nodeOf(node, 'argument'))
    else if (node.type === 'ForInStatement' || node.type === 'ForOfStatement')
      targets.push(nodeOf(node, 'left'))
    for (const target of targets) for (const name of boundNames(target)) this.reassigned.add(name)
    for (const child of childrenOf(node)) this.#findReassigned(child)
  }
}
