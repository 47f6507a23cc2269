// Bringing state up to date: `onReload` of classes and of their instances.
import type { ClassRecord } from './class-record.ts'
import { instancesOnHeap } from './instances.ts'
import type { ModuleCode } from './module-code.ts'
import type { ModuleSlot } from './module-slot.ts'
import type { Before } from './planner.ts'
import type { Runner } from './runner.ts'

/** Runs `static onReload(previous)` and the instances' `onReload()`. Returns how many instances, by class. */
export function migrate(
  runner: Runner,
  order: readonly ModuleSlot[],
  before: Before,
): Map<ClassRecord, number> {
  const counts = new Map<ClassRecord, number>()
  const done = new Set<object>()
  for (const slot of order) {
    const old = before.get(slot)?.code
    if (old === undefined) continue
    for (const [name, record] of slot.records) {
      const { identity } = record
      if (identity === undefined || !old.classes.has(name)) continue
      if (!slot.current!.code.classes.has(name)) continue
      const hook = (identity as { onReload?: unknown }).onReload
      if (typeof hook === 'function' && Object.hasOwn(identity, 'onReload'))
        hook.call(identity, record.previousStatics)
      if (typeof (identity.prototype as { onReload?: unknown }).onReload !== 'function') continue
      let count = 0
      for (const instance of instancesOf(runner, record, old, name)) {
        if (done.has(instance)) continue
        done.add(instance)
        ;(instance as { onReload(): void }).onReload()
        count += 1
      }
      counts.set(record, count)
    }
  }
  return counts
}

function instancesOf(
  runner: Runner,
  record: ClassRecord,
  old: ModuleCode,
  name: string,
): Iterable<object> {
  const prototype = record.identity!.prototype
  for (let proto: object | null = prototype; proto !== null;) {
    const owner = (proto as { constructor?: object }).constructor
    const known = owner === undefined ? undefined : runner.recordOf.get(owner)?.record
    const wasTracked = known !== record || old.classes.get(name)!.members.has('onReload')
    if (known !== undefined && wasTracked && known.tracks)
      return [...known.instances()].filter((one) => one instanceof record.identity!)
    proto = Object.getPrototypeOf(proto) as object | null
  }
  const wasThere = old.classes.get(name)!.members.has('onReload')
  return wasThere ? [] : instancesOnHeap(prototype).filter((one) => !isPrototype(runner, one))
}

function isPrototype(runner: Runner, object: object): boolean {
  const owner = Object.hasOwn(object, 'constructor')
    ? (object as { constructor: { prototype?: unknown } }).constructor
    : undefined
  return owner !== undefined && (owner.prototype === object || runner.recordOf.has(owner))
}
