// The place of one file: everything that outlives its versions.
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClassRecord, type Journal } from './class-record.ts'
import type { Clock } from './clock.ts'
import type { ModuleCode } from './module-code.ts'
import { ModuleScope } from './scope.ts'

/** Holds the exports of a hot module as plain properties, which V8 reads fastest. */
export class Exports {
  [name: string]: unknown
}
Object.setPrototypeOf(Exports.prototype, null)

export type ModuleFunction = (hot: unknown, exports: Exports, ...imports: unknown[]) => void
/** What a request leads to: another hot module, or the namespace of a native one. */
export type Link = ModuleSlot | { readonly namespace: object }

/** One evaluated or evaluable version of a file. */
export interface ModuleVersion {
  readonly hash: string
  readonly code: ModuleCode
  readonly compiled: ModuleFunction
  readonly links: readonly Link[]
}

/** What a native module needs to tell the runner about itself, once. */
export interface NativeSide {
  readonly meta: ImportMeta
  readonly import: (specifier: string, options?: ImportCallOptions) => Promise<unknown>
  /** Sets the native live bindings. */
  readonly setters: Readonly<Record<string, (value: unknown) => void>>
}

export class ModuleSlot {
  readonly file: string
  readonly url: string
  exports: Exports = new Exports()
  readonly records: Map<string, ClassRecord> = new Map()
  readonly kept: Map<string, unknown> = new Map()
  readonly weak: Map<string, object> = new Map()
  /** Native namespaces by specifier. */
  readonly natives: Map<string, object> = new Map()
  readonly importers: Set<ModuleSlot> = new Set()
  current: ModuleVersion | undefined
  /** The script that a live edit put in the place of the current one. */
  edited: string | undefined
  /** Whether the current version was evaluated before, by an earlier reload. */
  ranBefore = false
  isEvaluated = false
  version = 0
  /** The content last accepted or rolled away; `incremental` looks for a change against it. */
  seenHash = ''
  native: NativeSide | undefined
  scope: ModuleScope
  readonly meta: Record<string, unknown>

  constructor(url: string, clock: Clock) {
    this.url = url
    this.file = fileURLToPath(url)
    this.scope = new ModuleScope(clock)
    this.meta = {
      url,
      filename: this.file,
      dirname: dirname(this.file),
      main: false,
      resolve: (specifier: string) =>
        /^\.{0,2}\//.test(specifier)
          ? new URL(specifier, url).href
          : (this.native?.meta.resolve(specifier) ?? specifier),
    }
  }

  record(name: string): ClassRecord {
    let record = this.records.get(name)
    if (record === undefined) this.records.set(name, (record = new ClassRecord(name)))
    return record
  }

  /** Every name it exports, those of `export *` included. */
  exportNames(
    codeOf: (slot: ModuleSlot) => { code: ModuleCode; links: readonly Link[] } | undefined,
    path: Set<ModuleSlot> = new Set(),
  ): Set<string> {
    const version = codeOf(this)
    const names = new Set(version?.code.exports)
    if (version === undefined || path.has(this)) return names
    path.add(this)
    for (const star of version.code.stars) {
      const link = version.links[star]!
      const more =
        link instanceof ModuleSlot ? link.exportNames(codeOf, path) : Object.keys(link.namespace)
      for (const name of more) if (name !== 'default') names.add(name)
    }
    return names
  }

  /** Undoes everything that an evaluation may change here. */
  journal(journal: Journal): void {
    const descriptors = Object.getOwnPropertyDescriptors(this.exports)
    const { current, edited, ranBefore, isEvaluated, version, scope, seenHash } = this
    const kept = new Map(this.kept)
    const weak = new Map(this.weak)
    const records = new Set(this.records.keys())
    journal.push(() => {
      for (const name of Object.keys(this.exports))
        if (!Object.hasOwn(descriptors, name)) Reflect.deleteProperty(this.exports, name)
      Object.defineProperties(this.exports, descriptors)
      makeFast(this.exports)
      Object.assign(this, { current, edited, ranBefore, isEvaluated, version, scope, seenHash })
      refill(this.kept, kept)
      refill(this.weak, weak)
      for (const name of this.records.keys()) if (!records.has(name)) this.records.delete(name)
    })
  }

  /** Removes exports that the newest version does not have. */
  prune(names: ReadonlySet<string>): void {
    let isPruned = false
    for (const name of Object.keys(this.exports)) {
      if (names.has(name)) continue
      Reflect.deleteProperty(this.exports, name)
      isPruned = true
    }
    if (isPruned) makeFast(this.exports)
  }

  /** Tells native importers. */
  publish(names: readonly string[] = Object.keys(this.native?.setters ?? {})): void {
    for (const name of names) this.native?.setters[name]?.(this.exports[name])
  }
}

/** V8 turns an object with deleted properties into a slow table; a prototype it makes fast again. */
function makeFast(object: object): void {
  Object.setPrototypeOf({}, object)
}

function refill<K, V>(map: Map<K, V>, from: ReadonlyMap<K, V>): void {
  map.clear()
  for (const [key, value] of from) map.set(key, value)
}
