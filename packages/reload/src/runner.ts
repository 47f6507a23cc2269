// Loads hot files, evaluates them and knows how they hang together.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'
import type { AnyClass, ClassRecord, Journal } from './class-record.ts'
import { backgroundClock, type Clock } from './clock.ts'
import { ReloadError, isReloadError, type Place, placeOfError } from './errors.ts'
import type { ModuleCode } from './module-code.ts'
import {
  type Link,
  ModuleSlot,
  type ModuleFunction,
  type ModuleVersion,
  type NativeSide,
} from './module-slot.ts'
import { RewritingCache } from './rewriting-cache.ts'
import { RewritingThread } from './rewriting-thread.ts'
import { ModuleScope } from './scope.ts'
import type * as Rewriter from './transform.ts'

const require = createRequire(import.meta.url)
const CODE = new Set(['.ts', '.mts', '.js', '.mjs', '.tsx', '.jsx'])
const DATA = new Set(['.json', '.json5'])
const OWN_NAME = '@rts/reload'

export interface RunnerOptions {
  readonly roots: readonly string[]
  readonly exclude: (file: string) => boolean
  readonly parsers: Readonly<Record<string, (text: string, file: string) => unknown>>
  readonly clock: Clock
}

export interface Staged {
  readonly slot: ModuleSlot
  readonly version: ModuleVersion
}

export class Runner {
  readonly slots: Map<string, ModuleSlot> = new Map()
  readonly recordOf: WeakMap<object, { record: ClassRecord; slot: ModuleSlot }> = new WeakMap()
  readonly functionOf: WeakMap<object, { slot: ModuleSlot; version: number }> = new WeakMap()
  /** Where native resolution led, by `<parent url>\n<specifier>`. */
  readonly resolved: Map<string, string> = new Map()
  /** Cold modules that import a hot file, with the file. */
  readonly coldImporters: Map<string, Set<string>> = new Map()
  /** How long rewriting has taken in all. */
  transformMs = 0
  readonly #cache = new RewritingCache()
  readonly #thread = new RewritingThread(backgroundClock)
  readonly #options: RunnerOptions
  readonly #roots: readonly string[]
  /** Called after each first evaluation. */
  readonly onStart: Set<() => void> = new Set()
  /** Set while a reload evaluates. */
  #journal: Journal | undefined
  #context: object = {}

  constructor(options: RunnerOptions) {
    this.#options = options
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
    const extension = extname(file)
    return (
      (CODE.has(extension) || DATA.has(extension)) &&
      !file.endsWith('.d.ts') &&
      this.#roots.some((root) => file === root || file.startsWith(root + sep)) &&
      !file.includes(`${sep}node_modules${sep}`) &&
      !this.#options.exclude(file)
    )
  }

  isData(file: string): boolean {
    return DATA.has(extname(file))
  }

  slot(url: string): ModuleSlot {
    let slot = this.slots.get(url)
    if (slot === undefined) this.slots.set(url, (slot = new ModuleSlot(url, this.#options.clock)))
    return slot
  }

  hash(text: string): string {
    return createHash('sha1').update(text).digest('hex')
  }

  /** Reads, strips and rewrites a file. */
  read(
    file: string,
    text: string = readFileSync(file, 'utf8'),
  ): {
    readonly hash: string
    readonly code: ModuleCode
  } {
    const hash = this.hash(text)
    if (!this.isData(file)) {
      const started = this.#options.clock.now()
      let code = this.#cache.read(file, text)
      if (code === undefined) {
        code = this.rewriter().transform(file, text)
        this.#cache.write(file, text, code)
      }
      this.transformMs += this.#options.clock.now() - started
      return { hash, code }
    }
    return { hash, code: dataCode(this.#parse(file, text)) }
  }

  /** The same, rewritten in a thread of its own. */
  async readAside(
    file: string,
    text: string,
  ): Promise<{ readonly hash: string; readonly code: ModuleCode }> {
    if (this.isData(file)) return this.read(file, text)
    const started = this.#options.clock.now()
    try {
      return { hash: this.hash(text), code: await this.#thread.rewrite(file, text) }
    } finally {
      this.transformMs += this.#options.clock.now() - started
    }
  }

  close(): void {
    this.#thread.close()
  }

  rewriter(): typeof Rewriter {
    return require(TRANSFORM) as typeof Rewriter
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
        { file: slot.file },
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
    return this.isHot(fileURLToPath(url)) ? url : undefined
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
        if (this.isData(target.file) && !target.isEvaluated) this.#startSlot(target, [])
        return target
      }
      const namespace = namespaces[index]!
      slot.natives.set(specifier, namespace)
      return { namespace }
    })
    const version: ModuleVersion = { hash, code, compiled: this.compile(slot, code), links }
    slot.current = version
    slot.seenHash = hash
    this.#checkImports(slot, version, (one) => one.current ?? this.#maybePending(one))
    this.evaluate({ slot, version }, [])
    slot.version = 1
    for (const listener of this.onStart) listener()
  }

  readonly #read = new Map<ModuleSlot, { readonly hash: string; readonly code: ModuleCode }>()

  /** The code of a file that is about to be evaluated for the first time. */
  #pending(slot: ModuleSlot): { readonly hash: string; readonly code: ModuleCode } {
    const read = this.#read.get(slot) ?? this.read(slot.file)
    this.#read.delete(slot)
    return read
  }

  #maybePending(slot: ModuleSlot): { code: ModuleCode; links: readonly Link[] } | undefined {
    const read = this.#read.get(slot)
    if (read === undefined) return undefined
    return { code: read.code, links: [] }
  }

  /** Transforms a file for its native stand-in. */
  pend(slot: ModuleSlot): ModuleCode {
    const read = this.read(slot.file)
    this.#read.set(slot, read)
    return read.code
  }

  #checkImports(
    slot: ModuleSlot,
    version: { code: ModuleCode; links: readonly Link[] },
    codeOf: (slot: ModuleSlot) => { code: ModuleCode; links: readonly Link[] } | undefined,
  ): void {
    for (const { request, name, line } of version.code.imports) {
      if (name === '*') continue
      const link = version.links[request]!
      if (link instanceof ModuleSlot && codeOf(link) === undefined) continue
      const has =
        link instanceof ModuleSlot
          ? link.exportNames(codeOf).has(name)
          : name in link.namespace || this.#isOwn(version.code.requests[request]!, name)
      if (has) continue
      throw new ReloadError(
        'RELOAD_MISSING_EXPORT',
        `"${version.code.requests[request]}" does not export "${name}"`,
        { file: slot.file, line },
      )
    }
  }

  #isOwn(specifier: string, name: string): boolean {
    return specifier === OWN_NAME && (name === 'keep' || name === 'scope' || name === 'onDispose')
  }

  /** Checks the imports of staged modules and of everyone who imports from them. */
  checkLinks(staged: readonly Staged[]): void {
    const versions = new Map(staged.map(({ slot, version }) => [slot, version]))
    const codeOf = (slot: ModuleSlot): ModuleVersion | undefined =>
      versions.get(slot) ?? slot.current
    const checked = new Set<ModuleSlot>()
    for (const { slot, version } of staged) {
      this.#checkImports(slot, version, codeOf)
      checked.add(slot)
    }
    for (const { slot } of staged)
      for (const importer of slot.importers) {
        const version = codeOf(importer)
        if (checked.has(importer) || version === undefined) continue
        checked.add(importer)
        this.#checkImports(importer, version, codeOf)
      }
  }

  /** Runs a version of a module in its slot. A failure leaves it half done: whoever reloads has the journal. */
  evaluate({ slot, version }: Staged, journal: Journal): void {
    const before = this.#journal
    this.#journal = journal
    slot.isEvaluated = true
    slot.current = version
    const defined = new Set<ClassRecord>()
    try {
      const imports = version.links.map((link, index) => {
        if (link instanceof ModuleSlot) {
          link.importers.add(slot)
          return link.exports
        }
        return version.code.requests[index] === OWN_NAME ? this.#ownContext(slot) : link.namespace
      })
      for (const star of version.code.stars) this.#star(slot, version, star)
      version.compiled(this.#runtime(slot, defined), slot.exports, ...imports)
      for (const record of defined) record.settle()
      slot.prune(slot.exportNames((one) => one.current))
      for (const value of Object.values(Object.getOwnPropertyDescriptors(slot.exports)))
        if (typeof value.value === 'function' && !this.recordOf.has(value.value as object))
          this.functionOf.set(value.value as object, { slot, version: slot.version + 1 })
    } finally {
      this.#journal = before
    }
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

  #runtime(slot: ModuleSlot, defined: Set<ClassRecord>): object {
    const { exports } = slot
    return {
      meta: slot.meta,
      import: (specifier: string, options?: ImportCallOptions) =>
        this.importFrom(slot, specifier, options),
      define: (name: string, factory: (record: ClassRecord, version: number) => AnyClass) => {
        const record = slot.record(name)
        defined.add(record)
        const identity = record.define(factory, this.#journal!)
        this.recordOf.set(identity, { record, slot })
        return identity
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

  importFrom(slot: ModuleSlot, specifier: string, options?: ImportCallOptions): Promise<unknown> {
    const relative = /^\.{0,2}\//.test(specifier) ? new URL(specifier, slot.url).href : specifier
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

  placeOf(error: unknown): Place | undefined {
    if (isReloadError(error)) return error.place
    return placeOfError(error, (file) => this.isHot(file))
  }

  freshScope(slot: ModuleSlot): ModuleScope {
    return new ModuleScope(this.#options.clock, slot.scope)
  }

  #parse(file: string, text: string): unknown {
    const extension = extname(file)
    const parser = this.#options.parsers[extension]
    try {
      if (parser !== undefined) return parser(text, file)
      if (extension === '.json') return JSON.parse(text)
      const json5x = require('@rts/json5x') as { parse(text: string, options?: object): unknown }
      return json5x.parse(text, { filename: file })
    } catch (error) {
      const { line, column } = error as { line?: number; column?: number }
      throw new ReloadError(
        'RELOAD_SYNTAX',
        (error as Error).message,
        { file, ...(line !== undefined && { line }), ...(column !== undefined && { column }) },
        { cause: error },
      )
    }
  }
}

type Get = (object: object) => unknown
type Set_ = (object: object, value: unknown) => unknown

const plus = (value: unknown, by: number): number | bigint =>
  typeof value === 'bigint' ? value + BigInt(by) : Number(value) + by

/** The rewriter in its own file beside this one, loaded when the first module is: source and build differ in its name. */
const TRANSFORM: string = import.meta.url.endsWith('.ts') ? './transform.ts' : './transform.js'

function dataCode(value: unknown): ModuleCode {
  return {
    code: `__x["default"] = ${dataText(value)}`,
    requests: [],
    attributes: [],
    requestLines: [],
    imports: [],
    exports: ['default'],
    stars: [],
    classes: new Map(),
    functions: new Map(),
    copied: [],
  }
}

/** Data as an expression: JSON, and what JSON5 adds to it. */
function dataText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dataText).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, one]) => `[${JSON.stringify(key)}]: ${dataText(one)}`,
    )
    return `{ ${entries.join(', ')} }`
  }
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  return JSON.stringify(value) ?? 'undefined'
}
