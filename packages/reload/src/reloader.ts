import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ClassRecord, Journal } from './class-record.ts'
import { systemClock, type Clock } from './clock.ts'
import { compare, copiedExports } from './comparison.ts'
import { ReloadError, type ReloadErrorCode, isReloadError } from './errors.ts'
import { NativeHooks } from './hooks.ts'
import { instancesOnHeap } from './instances.ts'
import type { ModuleCode } from './module-code.ts'
import { keep, onDispose, scope } from './module-context.ts'
import type { Link, ModuleSlot, ModuleVersion } from './module-slot.ts'
import type {
  PatchedClass,
  ReloadKind,
  ReloadReport,
  ReloadWarning,
  ReloadedFile,
} from './report.ts'
import { nativeScripts } from './native-scripts.ts'
import { Runner, type Staged } from './runner.ts'

export interface ReloaderOptions {
  /** Folders and files whose modules are hot. */
  readonly roots: readonly string[]
  /** Files under the roots that stay native, such as the entry. @defaultValue none */
  readonly exclude?: (file: string) => boolean
  /** Reads data modules, by extension. @defaultValue `.json` with JSON.parse, `.json5` with `@rts/json5x` */
  readonly parsers?: Readonly<Record<string, (text: string, file: string) => unknown>>
  /** Calls `apply` at a moment when a reload may happen, such as between two ticks. @defaultValue the next turn */
  readonly between?: (apply: () => void) => void
  /** Reloads that `history()` remembers and `rollback()` can undo, from 1. @defaultValue 20 */
  readonly historyLimit?: number
  /**
   * Look once, when the reloader is made, for hot files that were loaded before it: those stay native and cannot be
   * reloaded. Takes about 15 ms. @defaultValue true
   */
  readonly detectNative?: boolean
  readonly clock?: Clock
}

export interface IncrementalOptions {
  /** Look at these files alone. @defaultValue every hot file that is loaded */
  readonly files?: readonly string[]
}

/** What a reload is about to do. */
export interface ReloadPlan {
  readonly kind: ReloadKind
  readonly files: readonly string[]
}

type BeforeReload = (plan: ReloadPlan) => void | Promise<void>
type AfterReload = (report: ReloadReport) => void

interface Planned {
  readonly staged: Map<ModuleSlot, ModuleVersion>
  readonly reasons: Map<ModuleSlot, ReloadedFile['reason']>
}

interface Past {
  readonly report: ReloadReport
  /** What ran before, by slot; undefined for a module that was new. */
  readonly before: ReadonlyMap<ModuleSlot, ModuleVersion | undefined>
}

/** Loads the hot modules of a process and replaces them while it runs. */
export class Reloader {
  readonly #runner: Runner
  readonly #hooks: NativeHooks
  readonly #clock: Clock
  readonly #between: (apply: () => void) => void
  readonly #historyLimit: number
  readonly #past: Past[] = []
  readonly #before = new Set<BeforeReload>()
  readonly #after = new Set<AfterReload>()
  #version = 1
  #queue: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: ReloaderOptions) {
    const {
      roots,
      exclude = () => false,
      parsers = {},
      clock = systemClock,
      historyLimit = 20,
    } = options
    if (roots.length === 0) throw new RangeError('roots must name at least one folder or file')
    if (!Number.isInteger(historyLimit) || historyLimit < 1)
      throw new RangeError(`historyLimit must be a whole number from 1, not ${historyLimit}`)
    this.#clock = clock
    this.#historyLimit = historyLimit
    this.#between = options.between ?? ((apply) => clock.defer(apply))
    this.#runner = new Runner({ roots, exclude, parsers, clock })
    this.#runner.library = { keep, onDispose, scope, versionOf: (of: object) => this.versionOf(of) }
    this.loadedNatively =
      options.detectNative === false
        ? []
        : nativeScripts()
            .filter((url) => url.startsWith('file:') && !url.includes('?'))
            .map((url) => fileURLToPath(url))
            .filter((file) => this.#runner.isHot(file))
    this.#hooks = new NativeHooks(this.#runner)
  }

  /** Hot files that were loaded before the reloader was made: every report warns of them. */
  readonly loadedNatively: readonly string[]

  /** The version of the whole: 1 at the start, one more with each reload that changed something. */
  get version(): number {
    return this.#version
  }

  /** The hot files that are loaded. */
  get files(): readonly string[] {
    return [...this.#runner.slots.values()]
      .filter((slot) => slot.isEvaluated)
      .map(({ file }) => file)
  }

  get roots(): readonly string[] {
    return this.#runner.roots
  }

  isHot(file: string): boolean {
    return this.#runner.isHot(file)
  }

  /** Loads a module as `import()` would; for a caller that some other loader than Node's has loaded. */
  import<T = Record<string, unknown>>(file: string): Promise<T> {
    return import(file.startsWith('file:') ? file : pathToFileURL(file).href) as Promise<T>
  }

  /** Native modules that import hot files: they see newest exports, but what they copied stays. */
  nativeImporters(): { readonly file: string; readonly importers: readonly string[] }[] {
    return [...this.#runner.coldImporters].map(([url, importers]) => ({
      file: fileURLToPath(url),
      importers: [...importers],
    }))
  }

  /** Reloads the modules whose content changed, and their importers where the set of exports did. */
  incremental(options: IncrementalOptions = {}): Promise<ReloadReport> {
    return this.#run('incremental', () => this.#planChanged(options.files))
  }

  /** Reloads every hot module in order, then checks that every class is current. */
  full(): Promise<ReloadReport> {
    return this.#run('full', () => this.#planAll())
  }

  /** Returns to what ran before the last reload that is not undone yet. */
  rollback(): Promise<ReloadReport> {
    return this.#run('rollback', async () => this.#planRollback())
  }

  /** The reports of the reloads that can be undone, oldest first. */
  history(): readonly ReloadReport[] {
    return this.#past.map(({ report }) => report)
  }

  /** The version of a module by its path, or of the module behind a class, an instance or an exported function. */
  versionOf(of: string | object): number | undefined {
    if (typeof of === 'string') {
      const slot = this.#runner.slots.get(of.startsWith('file:') ? of : pathToFileURL(of).href)
      return slot?.isEvaluated === true ? slot.version : undefined
    }
    const fn = this.#runner.functionOf.get(of)
    if (fn !== undefined) return fn.version
    const known = this.#runner.recordOf.get(of)
    if (known !== undefined) return known.slot.version
    for (let proto = Object.getPrototypeOf(of) as object | null; proto !== null;) {
      const owner = (proto as { constructor?: object }).constructor
      const record = owner === undefined ? undefined : this.#runner.recordOf.get(owner)
      if (record !== undefined) return record.slot.version
      proto = Object.getPrototypeOf(proto) as object | null
    }
    return undefined
  }

  /** Takes part before each reload; one that throws prevents it. Returns the undo. */
  beforeReload(hook: BeforeReload): () => void {
    this.#before.add(hook)
    return () => this.#before.delete(hook)
  }

  /** Called after each reload, failed ones included. Returns the undo. */
  afterReload(listener: AfterReload): () => void {
    this.#after.add(listener)
    return () => this.#after.delete(listener)
  }

  /** Called when a hot module has been loaded for the first time. Returns the undo. */
  onLoad(listener: () => void): () => void {
    this.#runner.onStart.add(listener)
    return () => this.#runner.onStart.delete(listener)
  }

  /** The URL of a hot module that is loaded: the name of its script in stacks and in a debugger. */
  urlOf(file: string): string | undefined {
    const { href } = pathToFileURL(file)
    return this.#runner.slots.get(href)?.isEvaluated === true ? href : undefined
  }

  /** What a text of a hot file is rewritten to: the script that V8 knows. */
  codeOf(file: string, text: string): string {
    return this.#runner.read(file, text).code.code
  }

  /** Whether two rewritten texts differ in bodies of functions alone. */
  differInBodies(file: string, one: string, other: string): boolean {
    const { skeletonOf } = this.#runner.rewriter()
    return skeletonOf(file, one) === skeletonOf(file, other)
  }

  /** No reload from now on; what is loaded stays. Safe to call twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#hooks.close()
    this.#runner.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #run(kind: ReloadKind, plan: () => Promise<Planned>): Promise<ReloadReport> {
    const turn = this.#queue.then(() => this.#reload(kind, plan))
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #reload(kind: ReloadKind, plan: () => Promise<Planned>): Promise<ReloadReport> {
    const started = this.#clock.now()
    const transformed = this.#runner.transformMs
    let report: ReloadReport
    try {
      if (this.#isClosed) throw new ReloadError('RELOAD_CLOSED', 'the reloader is closed')
      const planned = await plan()
      const files = [...planned.staged.keys()].map(({ file }) => file)
      if (files.length > 0) await this.#ask({ kind, files })
      const prepareMs = this.#clock.now() - started
      report =
        files.length === 0
          ? this.#nothing(kind, prepareMs)
          : await new Promise<ReloadReport>((resolve) =>
              this.#between(() => resolve(this.#apply(kind, planned, prepareMs))),
            )
    } catch (error) {
      report = {
        ...this.#nothing(kind, this.#clock.now() - started),
        ok: false,
        failure: this.#failure(error),
      }
    }
    report = { ...report, transformMs: this.#runner.transformMs - transformed }
    for (const listener of this.#after) listener(report)
    return report
  }

  async #ask(plan: ReloadPlan): Promise<void> {
    for (const hook of this.#before) {
      try {
        await hook(plan)
      } catch (error) {
        const { message } = error as Error
        throw new ReloadError(
          'RELOAD_HOOK',
          `a hook before the reload refused it: ${message}`,
          undefined,
          {
            cause: error,
          },
        )
      }
    }
  }

  #nothing(kind: ReloadKind, prepareMs: number): ReloadReport {
    return {
      ok: true,
      kind,
      version: this.#version,
      files: [],
      classes: [],
      functions: [],
      kept: [],
      warnings: [],
      failure: undefined,
      verified: 0,
      prepareMs,
      transformMs: 0,
      applyMs: 0,
    }
  }

  #failure(
    error: unknown,
    fallback: ReloadErrorCode = 'RELOAD_EVALUATION',
  ): ReloadReport['failure'] {
    const { message } = error instanceof Error ? error : { message: String(error) }
    const code = isReloadError(error) ? error.code : fallback
    return { code, message, place: this.#runner.placeOf(error), cause: error }
  }

  // ---- planning: reads and compiles, changes nothing

  async #planChanged(files: readonly string[] | undefined): Promise<Planned> {
    const only = files === undefined ? undefined : new Set(files)
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    // All are read before the first is rewritten: an edit meanwhile belongs to the next reload.
    const texts: [ModuleSlot, string][] = []
    for (const slot of this.#runner.slots.values()) {
      if (!slot.isEvaluated || (only !== undefined && !only.has(slot.file))) continue
      if (existsSync(slot.file)) texts.push([slot, readFileSync(slot.file, 'utf8')])
    }
    for (const [slot, text] of texts) await this.#stage(slot, text, 'changed', planned)
    this.#addImporters(planned)
    this.#runner.checkLinks(list(planned))
    return planned
  }

  async #planAll(): Promise<Planned> {
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    const texts = new Map<ModuleSlot, string>()
    for (const slot of this.#runner.slots.values())
      if (slot.isEvaluated && existsSync(slot.file))
        texts.set(slot, readFileSync(slot.file, 'utf8'))
    for (const slot of [...this.#runner.slots.values()]) {
      if (!slot.isEvaluated) continue
      const text = texts.get(slot)
      if (text !== undefined) await this.#stage(slot, text, 'full', planned)
      if (!planned.staged.has(slot)) {
        planned.staged.set(slot, slot.current!)
        planned.reasons.set(slot, 'full')
      }
    }
    this.#runner.checkLinks(list(planned))
    return planned
  }

  #planRollback(): Planned {
    const past = this.#past.at(-1)
    if (past === undefined)
      throw new ReloadError('RELOAD_NOTHING_TO_ROLL_BACK', 'no reload is left to undo')
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    for (const [slot, version] of past.before) {
      if (version === undefined) continue
      planned.staged.set(slot, version)
      planned.reasons.set(slot, 'rolled-back')
    }
    this.#runner.checkLinks(list(planned))
    return planned
  }

  /** Makes a version of a file's text ready to run, with the new modules it asks for. */
  async #stage(
    slot: ModuleSlot,
    text: string,
    reason: ReloadedFile['reason'],
    planned: Planned,
  ): Promise<void> {
    if (planned.staged.has(slot)) return
    if (slot.isEvaluated) {
      const seen = this.#runner.hash(text)
      if (seen === slot.seenHash) return
      if (seen === slot.current!.hash) {
        // It says again what runs: an edit that was rolled back is undone in the file too.
        slot.seenHash = seen
        return
      }
    }
    const { hash, code } = await this.#runner.readAside(slot.file, text)
    const compiled = this.#runner.compile(slot, code)
    const links: Link[] = []
    planned.staged.set(slot, { hash, code, compiled, links })
    planned.reasons.set(slot, reason)
    await this.#loadNatives(slot, code)
    for (const [index, specifier] of code.requests.entries()) {
      const hot = this.#runner.hotTarget(slot, specifier)
      if (hot === undefined) {
        links.push({ namespace: slot.natives.get(specifier)! })
        continue
      }
      const target = this.#runner.slot(hot)
      links.push(target)
      if (target.isEvaluated) continue
      if (!existsSync(target.file)) {
        this.#runner.slots.delete(hot)
        throw missing(specifier, slot, code.requestLines[index]!)
      }
      await this.#stage(target, readFileSync(target.file, 'utf8'), 'new', planned)
    }
  }

  async #loadNatives(slot: ModuleSlot, code: ModuleCode): Promise<void> {
    const wanted = code.requests
      .map((specifier, index) => ({
        specifier,
        attributes: code.attributes[index]!,
        line: code.requestLines[index]!,
      }))
      .filter(
        ({ specifier }) =>
          !slot.natives.has(specifier) && this.#runner.hotTarget(slot, specifier) === undefined,
      )
    if (wanted.length === 0 && slot.native !== undefined) return
    for (const one of wanted.length === 0 ? [undefined] : wanted) {
      try {
        const { namespaces, native } = await this.#hooks.load(
          slot.url,
          one === undefined ? [] : [one],
        )
        slot.native ??= { ...native, setters: {} }
        if (one !== undefined) slot.natives.set(one.specifier, namespaces[0]!)
      } catch (error) {
        throw missing(one?.specifier ?? slot.file, slot, one?.line ?? 1, error)
      }
    }
  }

  /** A changed set of exports reaches the importers, and on through `export *`. */
  #addImporters(planned: Planned): void {
    const codeOf = (slot: ModuleSlot): ModuleVersion | undefined =>
      planned.staged.get(slot) ?? slot.current
    const queue = [...planned.staged.keys()]
    for (const slot of queue) {
      if (slot.current === undefined || planned.reasons.get(slot) === 'new') continue
      const before = slot.exportNames((one) => one.current)
      const after = slot.exportNames(codeOf)
      if (before.size === after.size && [...before].every((name) => after.has(name))) continue
      for (const importer of slot.importers) {
        if (planned.staged.has(importer) || importer.current === undefined) continue
        planned.staged.set(importer, importer.current)
        planned.reasons.set(importer, 'importer')
        queue.push(importer)
      }
    }
  }

  // ---- applying: one synchronous step, undone as a whole when anything fails

  #apply(kind: ReloadKind, planned: Planned, prepareMs: number): ReloadReport {
    const started = this.#clock.now()
    const journal: Journal = []
    const staged = list(planned)
    const before = new Map(staged.map(({ slot }) => [slot, slot.current]))
    const values = new Map(
      staged.map(({ slot }) => [slot, new Map(Object.entries(slot.exports))] as const),
    )
    const order = this.#runner.inOrder(
      staged.map(({ slot }) => slot),
      (slot) => (planned.staged.get(slot) ?? slot.current)?.links ?? [],
    )
    const scopes = order.map((slot) => ({ slot, old: slot.scope }))
    let code: ReloadErrorCode = 'RELOAD_EVALUATION'
    try {
      for (const slot of order) {
        slot.journal(journal)
        slot.scope = this.#runner.freshScope(slot)
        this.#runner.evaluate({ slot, version: planned.staged.get(slot)! }, journal)
      }
      const verified = kind === 'full' ? this.#verify() : 0
      code = 'RELOAD_HOOK'
      const migrated = this.#migrate(order, before)
      for (const slot of order) {
        slot.version += 1
        if (kind !== 'rollback') slot.seenHash = slot.current!.hash
        slot.publish()
      }
      const report = this.#describe(kind, planned, order, before, values, migrated, verified)
      const disposeErrors = order.flatMap((slot) =>
        slot.scope.commit().map((error) => ({ slot, error })),
      )
      const complete: ReloadReport = {
        ...report,
        warnings: [
          ...report.warnings,
          ...disposeErrors.map(({ slot, error }) => ({
            kind: 'dispose-failed' as const,
            message: error instanceof Error ? error.message : String(error),
            file: slot.file,
          })),
        ],
        prepareMs,
        applyMs: this.#clock.now() - started,
      }
      this.#remember(kind, complete, before)
      // What it could undo is the version before: nothing may hold on to that.
      journal.length = 0
      return complete
    } catch (error) {
      const failure = this.#failure(error, code)
      for (const { slot, old } of scopes) if (slot.scope !== old) slot.scope.abandon()
      for (const undo of journal.reverse()) undo()
      for (const { slot } of scopes) slot.publish()
      return {
        ...this.#nothing(kind, prepareMs),
        ok: false,
        failure,
        applyMs: this.#clock.now() - started,
      }
    }
  }

  #remember(kind: ReloadKind, report: ReloadReport, before: Past['before']): void {
    if (kind === 'rollback') this.#past.pop()
    else this.#past.push({ report, before })
    if (this.#past.length > this.#historyLimit) this.#past.shift()
  }

  #verify(): number {
    let verified = 0
    for (const slot of this.#runner.slots.values())
      for (const [name, record] of slot.records) {
        const stale = record.stale()
        if (stale.length > 0)
          throw new ReloadError(
            'RELOAD_VERIFY',
            `class ${name} is not current after the reload: ${stale.join(', ')}`,
            { file: slot.file },
          )
        verified += 1
      }
    return verified
  }

  /** Runs `static onReload(previous)` and the instances' `onReload()`. Returns how many instances, by class. */
  #migrate(
    order: readonly ModuleSlot[],
    before: ReadonlyMap<ModuleSlot, ModuleVersion | undefined>,
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
        for (const instance of this.#instancesOf(record, old, name)) {
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

  #instancesOf(record: ClassRecord, old: ModuleCode, name: string): Iterable<object> {
    const prototype = record.identity!.prototype
    for (let proto: object | null = prototype; proto !== null;) {
      const owner = (proto as { constructor?: object }).constructor
      const known = owner === undefined ? undefined : this.#runner.recordOf.get(owner)?.record
      const wasTracked = known !== record || old.classes.get(name)!.members.has('onReload')
      if (known !== undefined && wasTracked && known.tracks)
        return [...known.instances()].filter((one) => one instanceof record.identity!)
      proto = Object.getPrototypeOf(proto) as object | null
    }
    const wasThere = old.classes.get(name)!.members.has('onReload')
    return wasThere ? [] : instancesOnHeap(prototype).filter((one) => !this.#isPrototype(one))
  }

  #isPrototype(object: object): boolean {
    const owner = Object.hasOwn(object, 'constructor')
      ? (object as { constructor: { prototype?: unknown } }).constructor
      : undefined
    return owner !== undefined && (owner.prototype === object || this.#runner.recordOf.has(owner))
  }

  #describe(
    kind: ReloadKind,
    planned: Planned,
    order: readonly ModuleSlot[],
    before: ReadonlyMap<ModuleSlot, ModuleVersion | undefined>,
    values: ReadonlyMap<ModuleSlot, ReadonlyMap<string, unknown>>,
    migrated: ReadonlyMap<ClassRecord, number>,
    verified: number,
  ): ReloadReport {
    this.#version += 1
    const reloaded = new Set(order)
    const classes: PatchedClass[] = []
    const functions: string[] = []
    const warnings: ReloadWarning[] = this.loadedNatively.map((file) => ({
      kind: 'loaded-natively',
      message:
        'the file was loaded before the reloader was made and stays as it was: import it later',
      file,
    }))
    for (const slot of order) {
      const old = before.get(slot)
      const difference = compare(slot.file, old?.code, slot.current!.code)
      for (const one of difference.classes) {
        const record = slot.records.get(one.name)
        if (record === undefined) continue
        const parentChanged = record.hasOtherParent
        classes.push({ ...one, parentChanged, instances: migrated.get(record) ?? 0 })
        if (parentChanged)
          warnings.push({
            kind: 'parent-changed',
            message: `${one.name} has another parent; its instances from before do not have that one's fields`,
            file: slot.file,
            line: one.line,
          })
      }
      functions.push(...difference.functions)
      warnings.push(...difference.warnings)
      if (old === undefined) continue
      warnings.push(...copiedExports(slot, values.get(slot)!, old.code, reloaded))
      warnings.push(...this.#nativeWarnings(slot, old.code))
    }
    return {
      ...this.#nothing(kind, 0),
      files: order.map((slot) => ({
        file: slot.file,
        version: slot.version,
        hash: slot.current!.hash,
        reason: planned.reasons.get(slot)!,
      })),
      classes,
      functions,
      kept: order.flatMap((slot) => [...slot.kept.keys()].map((id) => `${slot.file}#${id}`)),
      warnings,
      verified,
    }
  }

  #nativeWarnings(slot: ModuleSlot, old: ModuleCode): ReloadWarning[] {
    const importers = this.#runner.coldImporters.get(slot.url)
    if (importers === undefined) return []
    const added = slot.current!.code.exports.filter((name) => !old.exports.includes(name))
    return added.map((name) => ({
      kind: 'native-importer' as const,
      message: `native modules (${[...importers].join(', ')}) cannot see the new export "${name}" without a restart`,
      file: slot.file,
    }))
  }
}

const list = ({ staged }: Planned): Staged[] =>
  [...staged].map(([slot, version]) => ({ slot, version }))

function missing(specifier: string, slot: ModuleSlot, line: number, cause?: unknown): ReloadError {
  return new ReloadError(
    'RELOAD_MISSING_MODULE',
    `cannot load "${specifier}"${cause instanceof Error ? `: ${cause.message}` : ''}`,
    { file: slot.file, line },
    { cause },
  )
}

/** Makes the files under `roots` hot from now on: import them after this call. */
export function createReloader(options: ReloaderOptions): Reloader {
  return new Reloader(options)
}
