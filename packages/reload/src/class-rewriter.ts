// Classes of a module's top level, rewritten so that a later version can take over the first class object:
// constructors ask which version is current, static initialisers can run on another class, and `#private` names
// live in storage that the class's record owns.
import type MagicString from 'magic-string'
import { shapeOf } from './class-shape.ts'
import type { ClassShape } from './module-code.ts'
import { type PrivateAccess, type PrivateName, isPrivate, needsName } from './private-access.ts'
import { type SyntaxNode, isFunction, nameOf, nodeOf, nodesOf } from './syntax.ts'

const hasNoEffect = (node: SyntaxNode): boolean => isFunction(node) || node.type === 'Literal'

export class ClassRewriter {
  readonly #text: string
  readonly #edit: MagicString
  readonly #lineOf: (offset: number) => number
  readonly #access: PrivateAccess

  constructor(
    text: string,
    edit: MagicString,
    access: PrivateAccess,
    lineOf: (offset: number) => number,
  ) {
    this.#text = text
    this.#edit = edit
    this.#access = access
    this.#lineOf = lineOf
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
    this.#prologue(body, members, parent !== null, names)
    const initialisers = this.#members(members, parent !== null, names)
    this.#access.within(names, visit)
    this.#edit.appendLeft(node.end, ` })[${key}] })`)
    return {
      text: `__hot.initialise(${key}, ${initialisers})`,
      shape: shapeOf(node, this.#text, this.#lineOf),
    }
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
          this.#edit.appendRight(this.#valueEnd(member), ')')
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
    if (end < member.end) this.#edit.update(end, member.end, ' ')
    // To the right: what is inside may end here too, and is rewritten later.
    this.#edit.appendRight(end, `${named ? ` })[${label}]` : ')'}) }`)
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
    this.#edit.appendRight(this.#valueEnd(member), named ? ` })[${label}])` : '))')
  }
}
