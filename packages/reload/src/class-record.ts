// One class of a hot module over all its versions. The first class object stays the class; later ones are taken
// apart and their members given to it.
import { PrivateStorages, type PrivateStorage } from './private-storage.ts'

export type AnyClass = (new (...args: unknown[]) => object) & { prototype: object }
type Descriptors = Record<PropertyKey, PropertyDescriptor>
/** Undoes what was done since, last first. */
export type Journal = (() => void)[]

const INITIALISER = /^__init\d+$/
const PRIVATE_METHOD = '__pm$'
const BUILT_IN = new Set<PropertyKey>(['length', 'name', 'prototype', 'constructor'])

export class ClassRecord {
  readonly name: string
  /** Read by every constructor of the class: one of an older version hands over to `raw`. */
  version = 0
  raw: AnyClass | undefined
  /** The class as everyone knows it. */
  identity: AnyClass | undefined
  /** Private methods and accessors, newest. */
  readonly methods: Record<string, unknown> = {}
  /** Whether the newest version has another parent than the one before. */
  hasOtherParent = false
  previousStatics: Readonly<Record<string, unknown>> = {}
  #prototypeKeys: readonly PropertyKey[] = []
  #staticKeys: readonly PropertyKey[] = []
  #foreign: { readonly prototype: Set<PropertyKey>; readonly statics: Set<PropertyKey> } | undefined
  #privates: PrivateStorages | undefined
  #parent: { text: string; inputs: readonly unknown[]; parent: unknown } | undefined
  #initialisers: (() => void)[] = []
  #instances: Set<WeakRef<object>> | undefined
  #pruneAt = 1024

  constructor(name: string) {
    this.name = name
  }

  privates(fields: readonly string[], statics: readonly string[]): PrivateStorage {
    this.#privates ??= new PrivateStorages(this.name)
    return this.#privates.open(
      fields,
      statics,
      (target) => this.identity !== undefined && target instanceof this.identity,
    )
  }

  /** A parent made by an expression is kept while its text and inputs are the same: it may own state of instances. */
  parent(text: string, readInputs: () => readonly unknown[], make: () => unknown): unknown {
    const inputs = readInputs()
    const known = this.#parent
    if (known?.text === text && inputs.every((input, index) => input === known.inputs[index]))
      return known.parent
    const parent = make()
    this.#parent = { text, inputs, parent }
    return parent
  }

  /** Remembers an instance, for its `onReload`. */
  track(instance: object): void {
    const instances = (this.#instances ??= new Set())
    instances.add(new WeakRef(instance))
    if (instances.size < this.#pruneAt) return
    for (const reference of instances)
      if (reference.deref() === undefined) instances.delete(reference)
    this.#pruneAt = Math.max(1024, instances.size * 2)
  }

  *instances(): Generator<object> {
    for (const reference of this.#instances ?? []) {
      const instance = reference.deref()
      if (instance !== undefined) yield instance
    }
  }

  get tracks(): boolean {
    return this.#instances !== undefined
  }

  /** Takes a class that a module has just made; returns the one that the module shall know. */
  define(make: (record: ClassRecord, version: number) => AnyClass, journal: Journal): AnyClass {
    journal.push(this.#undo())
    const version = this.version + 1
    const raw = make(this, version)
    this.#takePrivateMethods(raw)
    this.#initialisers = takeInitialisers(raw)
    this.version = version
    this.raw = raw
    this.hasOtherParent = false
    if (this.identity === undefined) {
      this.identity = raw
      this.#foreign = { prototype: new Set(), statics: new Set() }
      return raw
    }
    this.#patch(this.identity, raw)
    return this.identity
  }

  /** Runs the static initialisers, with the class itself as `this`. */
  initialise(): void {
    for (const initialiser of this.#initialisers) initialiser.call(this.identity)
    this.#initialisers = []
  }

  /** Called when the module has been evaluated: what was put on the class meanwhile belongs to this version. */
  settle(): void {
    const foreign = this.#foreign
    if (foreign === undefined || this.identity === undefined) return
    this.#prototypeKeys = Reflect.ownKeys(this.identity.prototype).filter(
      (key) => !BUILT_IN.has(key) && !foreign.prototype.has(key),
    )
    this.#staticKeys = Reflect.ownKeys(this.identity).filter(
      (key) => !BUILT_IN.has(key) && !foreign.statics.has(key),
    )
    this.#foreign = undefined
  }

  /** What of the class does not stem from its newest version; empty when all is current. */
  stale(): string[] {
    const { identity, raw } = this
    if (identity === undefined || raw === undefined || identity === raw) return []
    const stale: string[] = []
    if (Object.getPrototypeOf(identity) !== Object.getPrototypeOf(raw)) stale.push('extends')
    for (const key of Reflect.ownKeys(raw.prototype)) {
      if (BUILT_IN.has(key)) continue
      if (!(key in identity.prototype)) stale.push(String(key))
    }
    return stale
  }

  #patch(identity: AnyClass, raw: AnyClass): void {
    const previous: Record<string, unknown> = {}
    for (const key of this.#staticKeys) {
      const descriptor = Object.getOwnPropertyDescriptor(identity, key)
      if (descriptor === undefined) continue
      if (typeof key === 'string' && 'value' in descriptor && descriptor.enumerable)
        previous[key] = descriptor.value
      Reflect.deleteProperty(identity, key)
    }
    this.previousStatics = previous
    for (const key of this.#prototypeKeys)
      if (!Object.hasOwn(raw.prototype, key)) Reflect.deleteProperty(identity.prototype, key)
    this.#foreign = {
      prototype: new Set(
        Reflect.ownKeys(identity.prototype).filter((key) => !this.#prototypeKeys.includes(key)),
      ),
      statics: new Set(Reflect.ownKeys(identity)),
    }
    const ownParent = Object.getPrototypeOf(raw) as object
    if (Object.getPrototypeOf(identity) !== ownParent) {
      this.hasOtherParent = true
      Object.setPrototypeOf(identity, ownParent)
      Object.setPrototypeOf(identity.prototype, Object.getPrototypeOf(raw.prototype) as object)
    }
    copyMembers(raw.prototype, identity.prototype)
    copyMembers(raw, identity)
    Object.defineProperty(identity, 'length', { value: raw.length, configurable: true })
  }

  #takePrivateMethods(raw: AnyClass): void {
    const found: Record<string, unknown> = {}
    for (const holder of [raw.prototype, raw]) {
      for (const key of Object.getOwnPropertyNames(holder)) {
        if (!key.startsWith(PRIVATE_METHOD)) continue
        const name = key.slice(PRIVATE_METHOD.length)
        const { value, get, set } = Object.getOwnPropertyDescriptor(holder, key)!
        if (value !== undefined) {
          Object.defineProperty(value, 'name', { value: `#${name}`, configurable: true })
          found[name] = value
        }
        if (get !== undefined) found[`get ${name}`] = get
        if (set !== undefined) found[`set ${name}`] = set
        Reflect.deleteProperty(holder, key)
      }
    }
    Object.assign(this.methods, found)
  }

  #undo(): () => void {
    const { version, raw, identity, previousStatics } = this
    const methods = { ...this.methods }
    const parent = this.#parent
    const prototypeKeys = this.#prototypeKeys
    const staticKeys = this.#staticKeys
    const restoreClass = identity === undefined ? undefined : snapshot(identity)
    const restoreStatics = identity === undefined ? undefined : this.#privates?.snapshot(identity)
    return () => {
      this.version = version
      this.raw = raw
      this.identity = identity
      this.previousStatics = previousStatics
      this.#parent = parent
      this.#prototypeKeys = prototypeKeys
      this.#staticKeys = staticKeys
      this.#foreign = undefined
      this.#initialisers = []
      for (const key of Object.keys(this.methods)) if (!(key in methods)) delete this.methods[key]
      Object.assign(this.methods, methods)
      restoreClass?.()
      restoreStatics?.()
    }
  }
}

function takeInitialisers(raw: AnyClass): (() => void)[] {
  const initialisers: (() => void)[] = []
  for (const key of Object.getOwnPropertyNames(raw)) {
    if (!key.startsWith('__init') || !INITIALISER.test(key)) continue
    initialisers.push((raw as unknown as Record<string, () => void>)[key]!)
    Reflect.deleteProperty(raw, key)
  }
  return initialisers
}

function copyMembers(from: object, to: object): void {
  for (const key of Reflect.ownKeys(from)) {
    if (BUILT_IN.has(key)) continue
    Object.defineProperty(to, key, Object.getOwnPropertyDescriptor(from, key)!)
  }
}

function snapshot(identity: AnyClass): () => void {
  const statics = Object.getOwnPropertyDescriptors(identity) as Descriptors
  const members = Object.getOwnPropertyDescriptors(identity.prototype) as Descriptors
  const parent = Object.getPrototypeOf(identity) as object
  const prototypeParent = Object.getPrototypeOf(identity.prototype) as object
  return () => {
    restore(identity, statics)
    restore(identity.prototype, members)
    if (Object.getPrototypeOf(identity) !== parent) Object.setPrototypeOf(identity, parent)
    if (Object.getPrototypeOf(identity.prototype) !== prototypeParent)
      Object.setPrototypeOf(identity.prototype, prototypeParent)
  }
}

function restore(target: object, descriptors: Descriptors): void {
  for (const key of Reflect.ownKeys(target))
    if (!Object.hasOwn(descriptors, key)) Reflect.deleteProperty(target, key)
  for (const key of Reflect.ownKeys(descriptors)) {
    if (key === 'prototype') continue
    Object.defineProperty(target, key, descriptors[key]!)
  }
}
