// Loads hot files, evaluates them and knows how they hang together.
import { existsSync, realpathSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compileFunction } from 'node:vm'
import type { ClassRecord, Journal } from './class-record.ts'
import type { Clock } from './clock.ts'
import { ReloadError, isReloadError, type Place, placeOfError } from './errors.ts'
import { type Linked, OWN_NAME, type Staged, checkImports } from './links.ts'
import type { ModuleCode } from './module-code.ts'
import { moduleRuntime } from './module-runtime.ts'
import {
  type Link,
  ModuleSlot,
  type ModuleFunction,
  type ModuleVersion,
  type NativeSide,
} from './module-slot.ts'
import { ModuleScope } from './scope.ts'
import { SourceMaps } from './source-maps.ts'
import {
  type Parsers,
  type ReadSource,
  SourceReader,
  isDataFile,
  isModuleFile,
} from './source-reader.ts'

export interface RunnerOptions {
  readonly roots: readonly string[]
  readonly exclude: (file: string) => boolean
  readonly parsers: Parsers
  readonly clock: Clock
  readonly sourceMaps: boolean
}

export class Runner {
  readonly slots: Map<string, ModuleSlot> = new Map()
  readonly recordOf: WeakMap<object, { record: ClassRecord; slot: ModuleSlot }> = new WeakMap()
  readonly functionOf: WeakMap<object, { slot: ModuleSlot; version: number }> = new WeakMap()
  /** Where native resolution led, by `<parent url>\n<specifier>`. */
  readonly resolved: Map<string, string> = new Map()
  /** Cold modules that import a hot file, with the file. */
  readonly coldImporters: Map<string, Set<string>> = new Map()
  /** Hot files that hot code imported dynamically, or that the process began with. */
  readonly entries: Set<string> = new Set()
  /** Hot files that were loaded before the runner was there: native ones, for everybody. */
  readonly loadedNatively: Set<string> = new Set()
  readonly reader: SourceReader
  readonly maps: SourceMaps = new SourceMaps()
  readonly #ran = new WeakSet<ModuleVersion>()
  readonly #options: RunnerOptions
  readonly #roots: readonly string[]
  /** Called after each first evaluation. */
  readonly onStart: Set<() => void> = new Set()
  #context: object = {}

  constructor(options: RunnerOptions) {
    this.#options = options
    this.reader = new SourceReader(options.parsers, options.clock)
    if (options.sourceMaps) SourceMaps.enable()
    this.#roots = options.roots.map((root) => {
      const path = resolve(root)
      return existsSync(path) ? realpathSync(path) : path
    })
  }

  get roots(): readonly string[] {
    return this.#roots
  }

  /** What `import ... from '@rts/reload'` gives besides `keep`, `scope` and `onDispose`. */
  set library(exports: object) {
    this.#context = exports
  }

  isHot(file: string): boolean {
    return (
      isModuleFile(file) &&
      this.#roots.some((root) => file === root || file.startsWith(root + sep)) &&
      !file.includes(`${sep}node_modules${sep}`) &&
      !this.#options.exclude(file)
    )
  }

  slot(url: string): ModuleSlot {
    let slot = this.slots.get(url)
    if (slot === undefined) this.slots.set(url, (slot = new ModuleSlot(url, this.#options.clock)))
    return slot
  }

  close(): void {
    this.reader.close()
  }

  compile(slot: ModuleSlot, code: ModuleCode): ModuleFunction {
    const names = code.requests.map((_, index) => `__i${index}`)
    try {
      return compileFunction(code.code, ['__hot', '__x', ...names], {
        filename: slot.url,
      }) as ModuleFunction
    } catch (error) {
      throw new ReloadError(
        'RELOAD_SYNTAX',
        (error as Error).message,
        placeOfError(error, (file) => file === slot.file) ?? { file: slot.file },
        { cause: error },
      )
    }
  }

  /** The hot file that a specifier names, by its path; undefined when native resolution must tell. */
  hotTarget(slot: ModuleSlot, specifier: string): string | undefined {
    const known = this.resolved.get(`${slot.url}\n${specifier}`)
    const url =
      known ??
      (/^(?:\.{0,2}\/|file:)/.test(specifier) ? new URL(specifier, slot.url).href : undefined)
    if (url === undefined || !url.startsWith('file:')) return undefined
    const file = fileURLToPath(url)
    return this.isHot(file) && !this.loadedNatively.has(file) ? url : undefined
  }

  /** The first evaluation of a file, from the native module that stands for it. */
  start(url: string, namespaces: readonly (object | undefined)[], native: NativeSide): void {
    const slot = this.slot(url)
    slot.native = native
    if (!slot.isEvaluated) this.#startSlot(slot, namespaces)
    slot.publish()
  }

  #startSlot(slot: ModuleSlot, namespaces: readonly (object | undefined)[]): void {
    const { hash, code } = this.#pending(slot)
    const links = code.requests.map((specifier, index): Link => {
      const hot = this.hotTarget(slot, specifier)
      if (hot !== undefined) {
        const target = this.slot(hot)
        if (isDataFile(target.file) && !target.isEvaluated) this.#startSlot(target, [])
        // Node links a module only when all it imports are read: one that never came by was there before.
        if (target.isEvaluated || this.#read.has(target)) return target
        this.loadedNatively.add(target.file)
        this.slots.delete(hot)
      }
      const namespace = namespaces[index]!
      slot.natives.set(specifier, namespace)
      return { namespace }
    })
    const version: ModuleVersion = { hash, code, compiled: this.compile(slot, code), links }
    slot.current = version
    slot.seenHash = hash
    checkImports(slot, version, (one) => one.current ?? this.#maybePending(one))
    const journal: Journal = []
    this.evaluate({ slot, version }, journal)
    journal.length = 0
    slot.version = 1
    for (const listener of this.onStart) listener()
  }

  readonly #read = new Map<ModuleSlot, ReadSource>()

  /** The code of a file that is about to be evaluated for the first time. */
  #pending(slot: ModuleSlot): ReadSource {
    const read = this.#read.get(slot) ?? this.reader.read(slot.file)
    this.#read.delete(slot)
    return read
  }

  #maybePending(slot: ModuleSlot): Linked | undefined {
    const read = this.#read.get(slot)
    if (read === undefined) return undefined
    return { code: read.code, links: [] }
  }

  /** Transforms a file for its native stand-in. */
  pend(slot: ModuleSlot): ModuleCode {
    const read = this.reader.read(slot.file)
    this.#read.set(slot, read)
    return read.code
  }

  /** Runs a version of a module in its slot. A failure leaves it half done: whoever reloads has the journal. */
  evaluate({ slot, version }: Staged, journal: Journal): void {
    slot.isEvaluated = true
    slot.current = version
    slot.edited = undefined
    slot.ranBefore = this.#ran.has(version)
    this.#ran.add(version)
    const mappings = this.maps.get(slot.url)
    journal.push(() => this.maps.set(slot.url, mappings))
    this.maps.set(slot.url, version.code.mappings)
    const defined = new Set<ClassRecord>()
    const imports = version.links.map((link, index) => {
      if (link instanceof ModuleSlot) {
        link.importers.add(slot)
        return link.exports
      }
      return version.code.requests[index] === OWN_NAME ? this.#ownContext(slot) : link.namespace
    })
    for (const star of version.code.stars) this.#star(slot, version, star)
    const runtime = moduleRuntime({
      slot,
      journal,
      defined,
      recordOf: this.recordOf,
      importFrom: (specifier, options) => this.importFrom(slot, specifier, options),
    })
    version.compiled(runtime, slot.exports, ...imports)
    for (const record of defined) record.settle()
    slot.prune(slot.exportNames((one) => one.current))
    for (const value of Object.values(Object.getOwnPropertyDescriptors(slot.exports)))
      if (typeof value.value === 'function' && !this.recordOf.has(value.value as object))
        this.functionOf.set(value.value as object, { slot, version: slot.version + 1 })
  }

  #star(slot: ModuleSlot, version: ModuleVersion, star: number): void {
    const link = version.links[star]!
    const own = new Set(version.code.exports)
    const source =
      link instanceof ModuleSlot ? link.exports : (link.namespace as Record<string, unknown>)
    const names =
      link instanceof ModuleSlot ? link.exportNames((one) => one.current) : Object.keys(source)
    for (const name of names) {
      if (name === 'default' || own.has(name)) continue
      Object.defineProperty(slot.exports, name, {
        get: () => source[name],
        enumerable: true,
        configurable: true,
      })
    }
  }

  #ownContext(slot: ModuleSlot): object {
    return {
      ...this.#context,
      keep: <T>(id: string, init: () => T): T => {
        if (!slot.kept.has(id)) slot.kept.set(id, init())
        return slot.kept.get(id) as T
      },
      onDispose: (fn: () => void) => slot.scope.onDispose(fn),
      scope: slot.scope,
    }
  }

  importFrom(slot: ModuleSlot, specifier: string, options?: ImportCallOptions): Promise<unknown> {
    const relative = /^\.{0,2}\//.test(specifier) ? new URL(specifier, slot.url).href : specifier
    const hot = this.hotTarget(slot, specifier)
    if (hot !== undefined) this.entries.add(hot)
    if (slot.native !== undefined) return slot.native.import(relative, options)
    return import(relative, options)
  }

  /** Slots so that each comes after what it imports, as far as cycles allow. */
  inOrder(
    slots: Iterable<ModuleSlot>,
    linksOf: (slot: ModuleSlot) => readonly Link[],
  ): ModuleSlot[] {
    const wanted = new Set(slots)
    const seen = new Set<ModuleSlot>()
    const ordered: ModuleSlot[] = []
    const visit = (slot: ModuleSlot): void => {
      if (seen.has(slot)) return
      seen.add(slot)
      for (const link of linksOf(slot)) if (link instanceof ModuleSlot) visit(link)
      if (wanted.has(slot)) ordered.push(slot)
    }
    for (const slot of this.slots.values()) visit(slot)
    for (const slot of wanted) visit(slot)
    return ordered
  }

  /** Evaluated modules to which no import leads, from a native module or a dynamic import on. */
  unreachable(): ModuleSlot[] {
    const reached = new Set<ModuleSlot>()
    for (const url of [...this.coldImporters.keys(), ...this.entries])
      if (this.slots.get(url)?.isEvaluated === true) reached.add(this.slots.get(url)!)
    for (const slot of reached)
      for (const link of slot.current!.links) if (link instanceof ModuleSlot) reached.add(link)
    return [...this.slots.values()].filter((slot) => slot.isEvaluated && !reached.has(slot))
  }

  placeOf(error: unknown): Place | undefined {
    if (isReloadError(error)) return error.place
    const place = placeOfError(error, (file) => this.isHot(file))
    return place && this.maps.trace(pathToFileURL(place.file).href, place)
  }

  freshScope(slot: ModuleSlot): ModuleScope {
    return new ModuleScope(this.#options.clock, slot.scope)
  }
}
