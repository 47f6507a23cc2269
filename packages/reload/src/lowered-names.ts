// What lowered decorators named: classes that name themselves, and WeakMaps for private members.
import { type SyntaxNode, childrenOf, isClass, nameOf, nodeOf, nodesOf } from './syntax.ts'

export class LoweredNames {
  readonly #weak = new Map<string, string>()
  readonly #aliases = new Map<string, string>()

  constructor(body: readonly SyntaxNode[]) {
    for (const statement of body) this.#findAlias(statement)
    for (const statement of body) this.#findWeak(statement)
  }

  /** The class that a name stands for. */
  classOf(name: string): string {
    return this.#aliases.get(name) ?? name
  }

  /** Under what a module keeps the map that a variable holds. */
  weakOf(name: string): string | undefined {
    return this.#weak.get(name)
  }

  /** Whether private members of a class are in such maps. */
  keepsPrivatesOf(className: string): boolean {
    return [...this.#weak.values()].some((key) => key.startsWith(`${className}#`))
  }

  /** A decorated class that names itself is lowered to `_C = class _C`, then `C = _C`: the class is C. */
  #findAlias(statement: SyntaxNode): void {
    if (statement.type !== 'VariableDeclaration') return
    for (const declarator of nodesOf(statement, 'declarations')) {
      const value = declarator['init'] as SyntaxNode | null
      if (value?.type === 'Identifier' && nameOf(value).startsWith('_'))
        this.#aliases.set(nameOf(value), nameOf(declarator['id']))
    }
  }

  /** The WeakMaps that lowered decorators keep private members in, named by the class that fills them. */
  #findWeak(node: SyntaxNode, className = ''): void {
    const own = isClass(node) && node['id'] !== null ? nameOf(node['id']) : className
    if (node.type === 'CallExpression' && nodeOf(node, 'callee')['name'] === '__privateAdd') {
      const [, member] = nodesOf(node, 'arguments')
      if (member?.type === 'Identifier')
        this.#weak.set(nameOf(member), this.#weakKey(this.classOf(own), nameOf(member)))
    }
    for (const child of childrenOf(node)) this.#findWeak(child, own)
  }

  /** Without the number that made the lowered name unique in its file, if that leaves no other of the class. */
  #weakKey(className: string, member: string): string {
    const key = `${className}#${member.replace(/\d+$/, '')}`
    const others = [...this.#weak].filter(([name]) => name !== member).map(([, other]) => other)
    return others.includes(key) ? `${className}#${member}` : key
  }
}
