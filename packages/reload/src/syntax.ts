// Syntax trees: walking them with knowledge of scopes, so that a name is known to be the module's own.
import { parseSync, visitorKeys, type OxcError } from 'oxc-parser'
import { ReloadError, placeAt } from './errors.ts'

/** An ESTree node, as loosely as a rewriter needs it. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export const nodeOf = (node: SyntaxNode, key: string): SyntaxNode => node[key] as SyntaxNode
export const nodesOf = (node: SyntaxNode, key: string): SyntaxNode[] => node[key] as SyntaxNode[]
export const nameOf = (node: unknown): string => (node as { name: string }).name

export function parse(file: string, code: string, lang: 'js' | 'ts' | 'tsx' = 'js'): SyntaxNode {
  const result = parseSync('module.js', code, {
    lang,
    sourceType: 'module',
    preserveParens: false,
    showSemanticErrors: true,
  })
  const error = result.errors[0]
  if (error !== undefined) {
    throw new ReloadError('RELOAD_SYNTAX', error.message, placeAt(file, code, offsetOf(error)))
  }
  return result.program as unknown as SyntaxNode
}

/** Of a name that is declared twice the parser labels both places, the one in error last. */
function offsetOf({ message, labels }: OxcError): number {
  const label = message.includes('already been declared') ? labels.at(-1) : labels[0]
  return label?.start ?? 0
}

/** Throws where a TypeScript source does not parse. */
export function checkSyntax(file: string, source: string): void {
  const error = parseSync(file, source, { lang: 'ts', sourceType: 'module' }).errors[0]
  if (error !== undefined)
    throw new ReloadError('RELOAD_SYNTAX', error.message, placeAt(file, source, offsetOf(error)))
}

export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = []
  for (const key of visitorKeys[node.type] ?? []) {
    const value = node[key]
    if (Array.isArray(value)) {
      for (const item of value) if (item !== null) children.push(item as SyntaxNode)
    } else if (value !== null && value !== undefined) children.push(value as SyntaxNode)
  }
  return children
}

export const isFunction = (node: SyntaxNode): boolean =>
  node.type === 'FunctionDeclaration' ||
  node.type === 'FunctionExpression' ||
  node.type === 'ArrowFunctionExpression'

export const isClass = (node: SyntaxNode): boolean =>
  node.type === 'ClassDeclaration' || node.type === 'ClassExpression'

/** The names that a pattern binds. */
export function boundNames(pattern: SyntaxNode | null, names: string[] = []): string[] {
  if (pattern === null) return names
  switch (pattern.type) {
    case 'Identifier':
      names.push(nameOf(pattern))
      break
    case 'ObjectPattern':
      for (const property of nodesOf(pattern, 'properties'))
        boundNames(
          property.type === 'RestElement'
            ? nodeOf(property, 'argument')
            : nodeOf(property, 'value'),
          names,
        )
      break
    case 'ArrayPattern':
      for (const element of nodesOf(pattern, 'elements')) boundNames(element, names)
      break
    case 'AssignmentPattern':
      boundNames(nodeOf(pattern, 'left'), names)
      break
    case 'RestElement':
      boundNames(nodeOf(pattern, 'argument'), names)
  }
  return names
}

/** The names that `var` brings to a function from anywhere below, functions inside left out. */
function varNames(node: SyntaxNode, names: string[]): void {
  if (node.type === 'VariableDeclaration' && node['kind'] === 'var')
    for (const declarator of nodesOf(node, 'declarations'))
      boundNames(nodeOf(declarator, 'id'), names)
  for (const child of childrenOf(node))
    if (!isFunction(child) && !isClass(child)) varNames(child, names)
}

/** The names that statements of one block bind in it. */
function lexicalNames(statements: readonly SyntaxNode[], names: string[]): void {
  for (const statement of statements) {
    if (statement.type === 'VariableDeclaration' && statement['kind'] !== 'var')
      for (const declarator of nodesOf(statement, 'declarations'))
        boundNames(nodeOf(declarator, 'id'), names)
    else if (statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration')
      names.push(nameOf(statement['id']))
  }
}

/** The names that a node binds for what is below it; undefined when it makes no scope. */
function namesBoundBy(node: SyntaxNode): string[] | undefined {
  const names: string[] = []
  if (isFunction(node)) {
    for (const parameter of nodesOf(node, 'params')) boundNames(parameter, names)
    if (node.type === 'FunctionExpression' && node['id'] !== null) names.push(nameOf(node['id']))
    const body = nodeOf(node, 'body')
    if (body !== null) varNames(body, names)
    return names
  }
  switch (node.type) {
    case 'BlockStatement':
    case 'StaticBlock':
      lexicalNames(nodesOf(node, 'body'), names)
      return names
    case 'SwitchStatement':
      for (const one of nodesOf(node, 'cases')) lexicalNames(nodesOf(one, 'consequent'), names)
      return names
    case 'ForStatement':
      if (node['init'] !== null) lexicalNames([nodeOf(node, 'init')], names)
      return names
    case 'ForInStatement':
    case 'ForOfStatement':
      lexicalNames([nodeOf(node, 'left')], names)
      return names
    case 'CatchClause':
      boundNames(nodeOf(node, 'param'), names)
      return names
    case 'ClassExpression':
      return node['id'] === null ? undefined : [nameOf(node['id'])]
    default:
      return undefined
  }
}

/** Which names are hidden at a place by scopes between it and the module. */
export class Scopes {
  readonly #hidden = new Map<string, number>()

  isHidden(name: string): boolean {
    return (this.#hidden.get(name) ?? 0) > 0
  }

  within(node: SyntaxNode, visit: () => void): void {
    const names = namesBoundBy(node)
    if (names === undefined) return visit()
    for (const name of names) this.#hidden.set(name, (this.#hidden.get(name) ?? 0) + 1)
    visit()
    for (const name of names) this.#hidden.set(name, this.#hidden.get(name)! - 1)
  }
}

/** Whether an identifier stands for a value, rather than naming a property, a label or a binding. */
export function isReference(node: SyntaxNode, parent: SyntaxNode): boolean {
  switch (parent.type) {
    case 'MemberExpression':
      return parent['object'] === node || parent['computed'] === true
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'AccessorProperty':
      return parent['value'] === node || parent['computed'] === true
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
    case 'ExportSpecifier':
    case 'ImportAttribute':
      return false
    default:
      return true
  }
}
