// Expressions that name `#private` members of rewritten classes: calls of the storage that the class's record owns.
import type MagicString from 'magic-string'
import { type SyntaxNode, isFunction, nameOf, nodeOf, nodesOf } from './syntax.ts'

export interface PrivateName {
  readonly kind: 'field' | 'method' | 'accessor'
  readonly isStatic: boolean
}

/** The private names of a class that is rewritten; undefined for one that is left as it is. */
type PrivateScope = ReadonlyMap<string, PrivateName | undefined>

export const isPrivate = (node: SyntaxNode | null): boolean => node?.type === 'PrivateIdentifier'
/** Whether a function or class takes the name of what it is assigned to. */
export const needsName = (node: SyntaxNode): boolean =>
  (isFunction(node) || node.type === 'ClassExpression') && !node['id']

export class PrivateAccess {
  readonly #text: string
  readonly #edit: MagicString
  readonly #scopes: PrivateScope[] = []
  #temporaries = 0

  constructor(text: string, edit: MagicString) {
    this.#text = text
    this.#edit = edit
  }

  get temporaries(): readonly string[] {
    return Array.from({ length: this.#temporaries }, (_, index) => `__t${index}`)
  }

  /** Visits what is inside a class with these private names. */
  within(names: PrivateScope, visit: () => void): void {
    this.#scopes.push(names)
    visit()
    this.#scopes.pop()
  }

  /** Visits a class that keeps its own private names. */
  leave(node: SyntaxNode, visit: () => void): void {
    const names = new Map<string, undefined>()
    for (const member of nodesOf(nodeOf(node, 'body'), 'body'))
      if (isPrivate(member['key'] as SyntaxNode | null)) names.set(nameOf(member['key']), undefined)
    this.within(names, visit)
  }

  #find(name: string): PrivateName | undefined {
    for (let index = this.#scopes.length - 1; index >= 0; index -= 1) {
      const scope = this.#scopes[index]!
      if (scope.has(name)) return scope.get(name)
    }
    return undefined
  }

  /** Rewrites an expression that names a private member, visiting its parts; false when it is none of ours. */
  expression(
    node: SyntaxNode,
    visit: (node: SyntaxNode, parent: SyntaxNode) => void,
    inChain: boolean,
  ): boolean {
    switch (node.type) {
      case 'BinaryExpression': {
        const left = nodeOf(node, 'left')
        if (!isPrivate(left) || this.#find(nameOf(left)) === undefined) return false
        const right = nodeOf(node, 'right')
        const keyword = this.#text.indexOf('in', left.end)
        this.#edit.update(left.start, keyword + 2, `__h$${nameOf(left)}(`)
        visit(right, node)
        this.#edit.appendLeft(node.end, ')')
        return true
      }
      case 'MemberExpression': {
        const found = this.#private(node)
        if (found === undefined) return false
        this.#read(node, found.name, visit, inChain)
        return true
      }
      case 'CallExpression':
        return this.#call(node, visit, inChain)
      case 'AssignmentExpression':
        return this.#assignment(node, visit)
      case 'UpdateExpression': {
        const target = nodeOf(node, 'argument')
        const found = this.#private(target)
        if (found === undefined) return false
        this.#update(node, target, found, visit)
        return true
      }
      default:
        return false
    }
  }

  #private(node: SyntaxNode): (PrivateName & { readonly name: string }) | undefined {
    if (node.type !== 'MemberExpression') return undefined
    const property = nodeOf(node, 'property')
    if (!isPrivate(property)) return undefined
    const name = nameOf(property)
    const found = this.#find(name)
    return found === undefined ? undefined : { ...found, name }
  }

  /** From the `.` or `?.` in front of a private name. */
  #dot(node: SyntaxNode): number {
    const property = nodeOf(node, 'property')
    const dot = this.#text.lastIndexOf('.', property.start)
    return this.#text[dot - 1] === '?' ? dot - 1 : dot
  }

  #simple(node: SyntaxNode): string | undefined {
    if (node.type === 'ThisExpression') return 'this'
    return undefined
  }

  #temporary(): string {
    return `__t${this.#temporaries++}`
  }

  #read(
    node: SyntaxNode,
    name: string,
    visit: (node: SyntaxNode, parent: SyntaxNode) => void,
    inChain: boolean,
  ): void {
    const object = nodeOf(node, 'object')
    const mayBeAbsent = inChain && (node['optional'] === true || hasOptional(object))
    const temporary = mayBeAbsent ? this.#temporary() : ''
    this.#edit.appendLeft(node.start, mayBeAbsent ? `(${temporary} = ` : `__g$${name}(`)
    visit(object, node)
    this.#edit.update(
      this.#dot(node),
      node.end,
      mayBeAbsent ? `, ${temporary} == null ? undefined : __g$${name}(${temporary}))` : ')',
    )
  }

  #call(
    node: SyntaxNode,
    visit: (node: SyntaxNode, parent: SyntaxNode) => void,
    inChain: boolean,
  ): boolean {
    const callee = nodeOf(node, 'callee')
    const found = this.#private(callee)
    if (found === undefined) return false
    const object = nodeOf(callee, 'object')
    const simple = this.#simple(object)
    const { name, kind, isStatic } = found
    const own = simple ?? this.#temporary()
    const set = simple === undefined ? `${own} = ` : ''
    const args = nodesOf(node, 'arguments')
    const mayBeAbsent = inChain && (callee['optional'] === true || hasOptional(object))
    const opening = this.#text.indexOf('(', callee.end)
    const optionalCall = node['optional'] === true ? '?.' : '.'
    if (mayBeAbsent) {
      this.#edit.appendLeft(callee.start, `(${own} = `)
      visit(object, callee)
      this.#edit.update(
        this.#dot(callee),
        opening + 1,
        `, ${own} == null ? undefined : __g$${name}(${own}))?.call(${own}${args.length > 0 ? ', ' : ''}`,
      )
    } else if (kind === 'method' && simple !== undefined) {
      const receiver = isStatic ? 'this' : '__b(this)'
      this.#edit.update(
        callee.start,
        opening + 1,
        `__m.${name}.call(${receiver}${args.length > 0 ? ', ' : ''}`,
      )
    } else {
      this.#edit.appendLeft(callee.start, `__g$${name}(${set}`)
      visit(object, callee)
      this.#edit.update(
        this.#dot(callee),
        opening + 1,
        `)${optionalCall}call(${own}${args.length > 0 ? ', ' : ''}`,
      )
    }
    for (const argument of args) visit(argument, node)
    return true
  }

  #assignment(node: SyntaxNode, visit: (node: SyntaxNode, parent: SyntaxNode) => void): boolean {
    const target = nodeOf(node, 'left')
    const found = this.#private(target)
    if (found === undefined) return false
    const { name } = found
    const object = nodeOf(target, 'object')
    const operator = node['operator'] as string
    const right = nodeOf(node, 'right')
    const simple = this.#simple(object)
    const at = this.#text.indexOf(operator, target.end) + operator.length
    if (operator === '=') {
      this.#edit.appendLeft(target.start, `__s$${name}(`)
      visit(object, target)
      const named = needsName(right)
      this.#edit.update(this.#dot(target), at, named ? `, ({ "#${name}":` : ',')
      visit(right, node)
      this.#edit.appendLeft(node.end, named ? ` })["#${name}"])` : ')')
      return true
    }
    const own = simple ?? this.#temporary()
    const bare = operator.slice(0, -1)
    const isLogical = bare === '&&' || bare === '||' || bare === '??'
    // Each temporary is read before the right side runs, so nothing that runs there can change it first.
    const set = `__s$${name}(${own}, `
    this.#edit.appendLeft(
      target.start,
      isLogical
        ? `(__g$${name}(${simple === undefined ? `${own} = ` : ''}`
        : simple === undefined
          ? `__s$${name}(${own} = `
          : `__s$${name}(`,
    )
    visit(object, target)
    this.#edit.update(
      this.#dot(target),
      at,
      isLogical ? `) ${bare} ${set}(` : `, __g$${name}(${own}) ${bare} (`,
    )
    visit(right, node)
    this.#edit.appendLeft(node.end, isLogical ? ')))' : '))')
    return true
  }

  #update(
    node: SyntaxNode,
    target: SyntaxNode,
    found: PrivateName & { readonly name: string },
    visit: (node: SyntaxNode, parent: SyntaxNode) => void,
  ): void {
    const { name } = found
    const object = nodeOf(target, 'object')
    const isIncrement = node['operator'] === '++'
    const isPrefix = node['prefix'] === true
    const step = `__hot.${isPrefix ? 'step' : 'stepAfter'}(__g$${name}, __s$${name}, ${isIncrement ? 1 : -1}, `
    if (isPrefix) this.#edit.update(node.start, node.start + 2, step)
    else this.#edit.appendLeft(node.start, step)
    visit(object, target)
    this.#edit.update(this.#dot(target), node.end, ')')
  }

  /** A private member as the target of a pattern or of a loop. */
  target(node: SyntaxNode, visit: (node: SyntaxNode, parent: SyntaxNode) => void): boolean {
    const found = this.#private(node)
    if (found === undefined) return false
    this.#edit.appendLeft(node.start, `__hot.target(__s$${found.name}, `)
    visit(nodeOf(node, 'object'), node)
    this.#edit.update(this.#dot(node), node.end, ').value')
    return true
  }
}

function hasOptional(node: SyntaxNode): boolean {
  if (node.type === 'MemberExpression')
    return node['optional'] === true || hasOptional(nodeOf(node, 'object'))
  if (node.type === 'CallExpression')
    return node['optional'] === true || hasOptional(nodeOf(node, 'callee'))
  return false
}
