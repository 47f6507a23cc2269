// Where the `#private` members of a hot class live: private fields of a class made here, stamped onto instances by
// a constructor that returns them. So they are as private as before, and belong to no version of the class.
import { compileFunction } from 'node:vm'

type Instance = object

/** The functions that rewritten code calls: `get$name`, `set$name`, `has$name`, and the five below. */
export interface PrivateStorage {
  stamp(instance: Instance): void
  stampStatic(target: Instance): void
  brand(instance: Instance): Instance
  isBranded(instance: Instance): boolean
  [member: string]: unknown
}

interface Stamper {
  stamp(target: Instance): void
  has(target: Instance): boolean
  readonly members: Readonly<Record<string, unknown>>
}

/** A source text of its own for each class: functions that shared one would share V8's feedback. */
function compileStamper(names: readonly string[], adopt: (target: Instance) => boolean): Stamper {
  const late = '#b in o || (typeof o === "object" && adopt(o) && new S(o)); '
  const members = names.map(
    (name) =>
      `get$${name}(o) { ${late}return o.#f$${name} }, set$${name}(o, v) { ${late}return o.#f$${name} = v }, has$${name}(o) { return #f$${name} in o }`,
  )
  const fields = names.map((name) => `#f$${name}; `).join('')
  const accessors = members.length > 0 ? members.join(', ') : ''
  const body = `"use strict"; let result; class Given { constructor(o) { return o } }
class S extends Given { #b; ${fields}static { result = { stamp(o) { new S(o) }, has(o) { ${late}return #b in o }, members: { ${accessors} } } } }
return result`
  return (compileFunction(body, ['adopt']) as (adopt: unknown) => Stamper)(adopt)
}

const STATIC = 'static '

export class PrivateStorages {
  readonly #storage: PrivateStorage
  readonly #known = new Set<string>()
  readonly #stampers: Stamper[] = []
  readonly #staticStampers: Stamper[] = []
  readonly #members = new Map<string, unknown>()

  constructor(className: string) {
    this.#storage = {
      stamp: (instance) => {
        for (const stamper of this.#stampers) stamper.stamp(instance)
      },
      stampStatic: (target) => {
        for (const stamper of this.#staticStampers) if (!stamper.has(target)) stamper.stamp(target)
      },
      brand: (instance) => {
        if (this.#storage.isBranded(instance)) return instance
        throw new TypeError(`Receiver must be an instance of class ${className}`)
      },
      isBranded: (instance) => this.#stampers[0]!.has(instance),
    }
  }

  /**
   * The storage with these names in it. `adopt` tells whether an object that was never stamped is an instance from
   * before the name existed, or from before the class became its parent.
   */
  open(
    fields: readonly string[],
    statics: readonly string[],
    adopt: (target: Instance) => boolean,
  ): PrivateStorage {
    this.#add(this.#stampers, fields, '', adopt)
    this.#add(this.#staticStampers, statics, STATIC, () => false)
    const only = this.#stampers.length === 1 ? this.#stampers[0] : undefined
    if (only !== undefined) {
      this.#storage.stamp = only.stamp
      this.#storage.isBranded = only.has
    } else {
      this.#storage.stamp = (instance) => {
        for (const stamper of this.#stampers) stamper.stamp(instance)
      }
    }
    return this.#storage
  }

  /** Remembers the static fields of a class. Returns what sets them back. */
  snapshot(target: object): () => void {
    const values = [...this.#known]
      .filter((name) => name.startsWith(STATIC))
      .map((name) => name.slice(STATIC.length))
      .filter((name) => this.#member('has', name)(target))
      .map((name) => [name, this.#member('get', name)(target)] as const)
    return () => {
      for (const [name, value] of values) this.#member('set', name)(target, value)
    }
  }

  #member(kind: string, name: string): (target: object, value?: unknown) => unknown {
    return this.#members.get(`${STATIC}${kind}$${name}`) as () => unknown
  }

  #add(
    stampers: Stamper[],
    names: readonly string[],
    prefix: string,
    adopt: (target: Instance) => boolean,
  ): void {
    const fresh = names.filter((name) => !this.#known.has(prefix + name))
    if (fresh.length > 0 || stampers.length === 0) {
      const stamper = compileStamper(fresh, adopt)
      stampers.push(stamper)
      for (const name of fresh) {
        this.#known.add(prefix + name)
        for (const kind of ['get', 'set', 'has'])
          this.#members.set(`${prefix}${kind}$${name}`, stamper.members[`${kind}$${name}`])
      }
    }
    for (const name of names)
      for (const kind of ['get', 'set', 'has'])
        this.#storage[`${kind}$${name}`] = this.#members.get(`${prefix}${kind}$${name}`)
  }
}
