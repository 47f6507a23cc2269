// What rewritten code calls, as `__hot`.
import type { AnyClass, ClassRecord, Journal } from './class-record.ts'
import type { ModuleSlot } from './module-slot.ts'

export interface RuntimeHost {
  readonly slot: ModuleSlot
  readonly journal: Journal
  /** Classes that this evaluation defines. */
  readonly defined: Set<ClassRecord>
  readonly recordOf: WeakMap<object, { record: ClassRecord; slot: ModuleSlot }>
  readonly importFrom: (specifier: string, options?: ImportCallOptions) => Promise<unknown>
}

type Get = (object: object) => unknown
type Set_ = (object: object, value: unknown) => unknown

const plus = (value: unknown, by: number): number | bigint =>
  typeof value === 'bigint' ? value + BigInt(by) : Number(value) + by

export function moduleRuntime(host: RuntimeHost): object {
  const { slot, journal, defined, recordOf, importFrom } = host
  const { exports } = slot
  return {
    meta: slot.meta,
    import: importFrom,
    define: (name: string, factory: (record: ClassRecord, version: number) => AnyClass) => {
      const record = slot.record(name)
      defined.add(record)
      const identity = record.define(factory, journal)
      recordOf.set(identity, { record, slot })
      return identity
    },
    nameDefault: (value: unknown, given: string) => {
      if (typeof value === 'function' && value.name === given)
        Object.defineProperty(value, 'name', { value: 'default', configurable: true })
    },
    initialise: (name: string) => slot.record(name).initialise(),
    field: (target: object, key: PropertyKey, value: unknown) =>
      Object.defineProperty(target, key, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      }),
    live: (name: string, get: () => unknown) =>
      Object.defineProperty(exports, name, { get, enumerable: true, configurable: true }),
    touch: (names: readonly string[], value: unknown) => {
      slot.publish(names)
      return value
    },
    weak: (key: string, make: () => object) => {
      let map = slot.weak.get(key)
      if (map === undefined) slot.weak.set(key, (map = make()))
      return map
    },
    adopt: (member: WeakMap<object, unknown> | WeakSet<object>, object: object) => {
      const key = [...slot.weak].find(([, one]) => one === member)?.[0]
      const identity = slot.records.get(key?.split('#')[0] ?? '')?.identity
      if (identity === undefined || !(object instanceof identity)) return false
      if (member instanceof WeakSet) member.add(object)
      else member.set(object, undefined)
      return true
    },
    defined: (member: WeakMap<object, unknown> | WeakSet<object>, object: object) => {
      if (!recordOf.has(object)) return false
      if (member instanceof WeakSet) return true
      const value = member.get(object)
      journal.push(() => member.set(object, value))
      return true
    },
    step: (get: Get, set: Set_, by: number, object: object) => set(object, plus(get(object), by)),
    stepAfter: (get: Get, set: Set_, by: number, object: object) => {
      const before = plus(get(object), 0)
      set(object, plus(before, by))
      return before
    },
    target: (set: Set_, object: object) => ({
      set value(value: unknown) {
        set(object, value)
      },
    }),
  }
}
