// Classes of a module's top level, rewritten so that a later version can take over the first class object:
// constructors ask which version is current, static initialisers can run on another class, and `#private` names
// live in storage that the class's record owns.
import type MagicString from 'magic-string'
import type { ClassShape, MemberShape } from './module-code.ts'
import { type SyntaxNode, isFunction, nameOf, nodeOf, nodesOf } from './syntax.ts'

interface PrivateName {
  readonly kind: 'field' | 'method' | 'accessor'
  readonly isStatic: boolean
}

/** The private names of a class that this rewriter took over; undefined for a class left as it is. */
type PrivateScope = ReadonlyMap<string, PrivateName | undefined>

const isPrivate = (node: SyntaxNode | null): boolean => node?.type === 'PrivateIdentifier'
const needsName = (node: SyntaxNode): boolean =>
  (isFunction(node) || node.type === 'ClassExpression') && !node['id']
const hasNoEffect = (node: SyntaxNode): boolean => isFunction(node) || node.type === 'Literal'

export class ClassRewriter {
  readonly #text: string
  readonly #edit: MagicString
  readonly #lineOf: (offset: number) => number
  readonly #scopes: PrivateScope[] = []
  #temporaries = 0

  constructor(text: string, edit: MagicString, lineOf: (offset: number) => number) {
    this.#text = text
    this.#edit = edit
    this.#lineOf = lineOf
  }

  get temporaries(): readonly string[] {
    return Array.from({ length: this.#temporaries }, (_, index) => `__t${index}`)
  }

  /** Turns a class into `__hot.define(name, factory)`; what is inside is rewritten by whoever walks it. */
  open(
    node: SyntaxNode,
    name: string,
    parentNames: readonly string[],
    visit: () => void,
  ): { readonly text: string; readonly shape: ClassShape } {
    const body = nodeOf(node, 'body')
    const members = nodesOf(body, 'body')
    const names = this.#privateNames(members)
    const key = JSON.stringify(name)
    const head = `(__p, __v) => {${this.#storage(names)} return ({ ${key}: class `
    // `class Name` goes; what stands after it, `extends` or `{`, stays where it is.
    const parent = node['superClass'] as SyntaxNode | null
    const afterName = node['id'] === null ? node.start + 'class'.length : nodeOf(node, 'id').end
    this.#edit.update(node.start, afterName, `__hot.define(${key}, ${head}`)
    if (parent !== null && parent.type !== 'Identifier') this.#parent(parent, body, parentNames)
    this.#scopes.push(names)
    this.#prologue(body, members, parent !== null, names)
    const initialisers = this.#members(members, parent !== null, names)
    visit()
    this.#scopes.pop()
    this.#edit.appendLeft(node.end, ` })[${key}] })`)
    return {
      text: `__hot.initialise(${key}, ${initialisers})`,
      shape: this.#shape(node, parent, members, names),
    }
  }

  /** Visits a class that keeps its own private names. */
  leave(node: SyntaxNode, visit: () => void): void {
    const names = new Map<string, undefined>()
    for (const member of nodesOf(nodeOf(node, 'body'), 'body'))
      if (isPrivate(member['key'] as SyntaxNode | null)) names.set(nameOf(member['key']), undefined)
    this.#scopes.push(names)
    visit()
    this.#scopes.pop()
  }

  #privateNames(members: readonly SyntaxNode[]): Map<string, PrivateName> {
    const names = new Map<string, PrivateName>()
    for (const member of members) {
      if (!isPrivate((member['key'] ?? null) as SyntaxNode | null)) continue
      const kind =
        member.type === 'PropertyDefinition'
          ? 'field'
          : member['kind'] === 'method'
            ? 'method'
            : 'accessor'
      names.set(nameOf(member['key']), { kind, isStatic: member['static'] === true })
    }
    return names
  }

  #storage(names: ReadonlyMap<string, PrivateName>): string {
    if (names.size === 0) return ''
    const fields = [...names].filter(([, { kind }]) => kind === 'field')
    const list = (isStatic: boolean): string =>
      JSON.stringify(fields.filter(([, one]) => one.isStatic === isStatic).map(([name]) => name))
    let text = ` const __k = __p.privates(${list(false)}, ${list(true)}), __m = __p.methods, __b = __k.brand;`
    for (const [name, { kind, isStatic }] of names) {
      const checked = isStatic ? 'o' : '__b(o)'
      if (kind === 'field')
        text += ` const __g$${name} = __k.get$${name}, __s$${name} = __k.set$${name}, __h$${name} = __k.has$${name};`
      else if (kind === 'method')
        text += ` const __g$${name} = (o) => (${checked}, __m[${JSON.stringify(name)}]), __h$${name} = __k.isBranded;`
      else
        text += ` const __g$${name} = (o) => __m["get ${name}"].call(${checked}), __s$${name} = (o, v) => (__m["set ${name}"].call(${checked}, v), v), __h$${name} = __k.isBranded;`
    }
    return text
  }

  #parent(parent: SyntaxNode, body: SyntaxNode, names: readonly string[]): void {
    const text = JSON.stringify(this.#text.slice(parent.start, parent.end))
    const from = this.#text.lastIndexOf('extends', parent.start) + 'extends'.length
    this.#edit.appendLeft(from, ` (__p.parent(${text}, () => [${names.join(', ')}], () => (`)
    this.#edit.appendLeft(body.start, '))) ')
  }

  #prologue(
    body: SyntaxNode,
    members: readonly SyntaxNode[],
    isDerived: boolean,
    names: ReadonlyMap<string, PrivateName>,
  ): void {
    const guard =
      'if (__p.version !== __v) return Reflect.construct(__p.raw, arguments, new.target);'
    const constructor = members.find((member) => member['kind'] === 'constructor')
    let text = ''
    if ([...names.values()].some(({ isStatic }) => !isStatic))
      text += ' #__brand = __k.stamp(this);'
    if (
      members.some(
        (member) => !member['static'] && (member['key'] as { name?: string })?.name === 'onReload',
      )
    )
      text += ' #__track = __p.track(this);'
    if (constructor !== undefined) {
      const block = nodeOf(nodeOf(constructor, 'value'), 'body')
      this.#edit.appendLeft(block.start + 1, ` ${guard}`)
    } else if (isDerived) text += ` constructor(...__a) { ${guard} super(...__a); }`
    else text += ` constructor() { ${guard} }`
    this.#edit.appendLeft(body.start + 1, text)
  }

  #members(
    members: readonly SyntaxNode[],
    isDerived: boolean,
    names: ReadonlyMap<string, PrivateName>,
  ): number {
    let initialisers = 0
    for (const member of members) {
      const key = member['key'] as SyntaxNode | null | undefined
      const value = member['value'] as SyntaxNode | null | undefined
      if (member.type === 'StaticBlock') {
        const brace = this.#text.indexOf('{', member.start)
        this.#edit.update(member.start, brace, `static __init${initialisers++}() `)
      } else if (member.type === 'PropertyDefinition' && member['static'] === true) {
        this.#staticField(member, key!, value ?? null, initialisers++)
      } else if (member.type === 'PropertyDefinition') {
        if (isPrivate(key!)) this.#privateField(member, key!, value ?? null)
        else if (!isDerived && value != null && !hasNoEffect(value)) {
          this.#edit.appendLeft(
            this.#valueStart(key!, member),
            ' __p.version !== __v ? undefined : (',
          )
          this.#edit.appendLeft(this.#valueEnd(member), ')')
        }
      } else if (isPrivate(key ?? null) && names.has(nameOf(key)))
        this.#edit.update(key!.start, key!.end, `__pm$${nameOf(key)}`)
    }
    return initialisers
  }

  /** Just after the `=` of a field. */
  #valueStart(key: SyntaxNode, member: SyntaxNode): number {
    const value = nodeOf(member, 'value')
    const closing = member['computed'] === true ? this.#text.indexOf(']', key.end) + 1 : key.end
    const equals = this.#text.indexOf('=', closing)
    return equals === -1 || equals > value.start ? value.start : equals + 1
  }

  #valueEnd(member: SyntaxNode): number {
    return this.#text[member.end - 1] === ';' ? member.end - 1 : member.end
  }

  #staticField(member: SyntaxNode, key: SyntaxNode, value: SyntaxNode | null, index: number): void {
    const own = isPrivate(key) ? nameOf(key) : undefined
    const label =
      member['computed'] === true
        ? `(${this.#text.slice(key.start, key.end)})`
        : JSON.stringify(own ?? key['name'] ?? key['value'])
    const open = own === undefined ? `__hot.field(this, ${label}, ` : `__s$${own}(this, `
    const start = `static __init${index}() { ${own === undefined ? '' : '__k.stampStatic(this); '}${open}`
    if (value === null) {
      this.#edit.update(member.start, member.end, `${start}undefined) }`)
      return
    }
    const named = needsName(value) && member['computed'] !== true
    const from = this.#valueStart(key, member)
    this.#edit.update(member.start, from, `${start}${named ? `({ ${label}:` : '('}`)
    const end = this.#valueEnd(member)
    this.#edit.appendLeft(end, `${named ? ` })[${label}]` : ')'}) }`)
    if (end < member.end) this.#edit.update(end, member.end, ' ')
  }

  #privateField(member: SyntaxNode, key: SyntaxNode, value: SyntaxNode | null): void {
    const name = nameOf(key)
    if (value === null) {
      this.#edit.update(member.start, member.end, ';')
      return
    }
    // The native field is the place in the order of initialisers; its own value is of no use.
    const from = this.#valueStart(key, member)
    const named = needsName(value)
    const label = JSON.stringify(`#${name}`)
    this.#edit.appendLeft(from, ` __s$${name}(this, ${named ? `({ ${label}:` : '('}`)
    this.#edit.appendLeft(this.#valueEnd(member), named ? ` })[${label}])` : '))')
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

  #shape(
    node: SyntaxNode,
    parent: SyntaxNode | null,
    members: readonly SyntaxNode[],
    names: PrivateScope,
  ): ClassShape {
    const shapes = new Map<string, MemberShape>()
    for (const member of members) {
      const key = member['key'] as SyntaxNode | undefined
      const isStatic = member['static'] === true
      const value = member['value'] as SyntaxNode | null | undefined
      const label =
        member.type === 'StaticBlock'
          ? `static block ${shapes.size}`
          : (isStatic ? 'static ' : '') +
            (member['kind'] === 'get' ? 'get ' : member['kind'] === 'set' ? 'set ' : '') +
            this.#text.slice(key!.start, key!.end)
      shapes.set(label, {
        text: this.#text.slice(member.start, member.end).replace(/\s+/g, ' '),
        line: this.#lineOf(member.start),
        kind:
          member.type === 'StaticBlock'
            ? 'static-block'
            : member.type === 'PropertyDefinition'
              ? isStatic
                ? 'static-field'
                : 'field'
              : 'method',
        suspends: value != null && (value['async'] === true || value['generator'] === true),
      })
    }
    return {
      line: this.#lineOf(node.start),
      parent: parent === null ? '' : this.#text.slice(parent.start, parent.end),
      members: shapes,
      hasPrivates: names.size > 0,
      isLowered: false,
    }
  }
}

function hasOptional(node: SyntaxNode): boolean {
  if (node.type === 'MemberExpression')
    return node['optional'] === true || hasOptional(nodeOf(node, 'object'))
  if (node.type === 'CallExpression')
    return node['optional'] === true || hasOptional(nodeOf(node, 'callee'))
  return false
}
