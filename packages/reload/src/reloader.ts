import { fileURLToPath, pathToFileURL } from 'node:url'
import { apply } from './applying.ts'
import { systemClock, type Clock } from './clock.ts'
import { emptyReport, failureOf } from './description.ts'
import { ReloadError } from './errors.ts'
import { NativeHooks } from './hooks.ts'
import { keep, onDispose, scope } from './module-context.ts'
import { nativeScripts } from './native-scripts.ts'
import type { IncrementalOptions, ReloadPlan, ReloaderOptions } from './options.ts'
import { type Before, type Planned, Planner } from './planner.ts'
import type { ReloadKind, ReloadReport } from './report.ts'
import { Runner } from './runner.ts'

type BeforeReload = (plan: ReloadPlan) => void | Promise<void>
type AfterReload = (report: ReloadReport) => void

interface Past {
  readonly report: ReloadReport
  readonly before: Before
}

/** Loads the hot modules of a process and replaces them while it runs. */
export class Reloader {
  readonly #runner: Runner
  readonly #hooks: NativeHooks
  readonly #planner: Planner
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
      sourceMaps = true,
    } = options
    if (roots.length === 0) throw new RangeError('roots must name at least one folder or file')
    if (!Number.isInteger(historyLimit) || historyLimit < 1)
      throw new RangeError(`historyLimit must be a whole number from 1, not ${historyLimit}`)
    this.#clock = clock
    this.#historyLimit = historyLimit
    this.#between = options.between ?? ((apply) => clock.defer(apply))
    this.#runner = new Runner({ roots, exclude, parsers, clock, sourceMaps })
    this.#runner.library = { keep, onDispose, scope, versionOf: (of: object) => this.versionOf(of) }
    if (options.detectNative !== false)
      for (const url of nativeScripts()) {
        if (!url.startsWith('file:') || url.includes('?')) continue
        const file = fileURLToPath(url)
        if (this.#runner.isHot(file)) this.#runner.loadedNatively.add(file)
      }
    this.#hooks = new NativeHooks(this.#runner)
    this.#planner = new Planner(this.#runner, this.#hooks)
  }

  /** Hot files that were loaded before the reloader was made: every report warns of them. */
  get loadedNatively(): readonly string[] {
    return [...this.#runner.loadedNatively]
  }

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
    return this.#run('incremental', () => this.#planner.changed(options.files))
  }

  /** Reloads every hot module in order, then checks that every class is current. */
  full(): Promise<ReloadReport> {
    return this.#run('full', () => this.#planner.all())
  }

  /** Returns to what ran before the last reload that is not undone yet. */
  rollback(): Promise<ReloadReport> {
    return this.#run('rollback', async () => {
      const past = this.#past.at(-1)
      if (past === undefined)
        throw new ReloadError('RELOAD_NOTHING_TO_ROLL_BACK', 'no reload is left to undo')
      return this.#planner.back(past.before)
    })
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
    return this.#runner.reader.read(file, text).code.code
  }

  /** The script of a hot module that runs now; undefined when it ran before: V8 does not edit such a one safely. */
  runningCodeOf(file: string): string | undefined {
    const { current, edited, ranBefore } = this.#runner.slot(pathToFileURL(file).href)
    return ranBefore ? undefined : (edited ?? current!.code.code)
  }

  /** Tells that the function bodies of this text run now, put there by a debugger. */
  wasEdited(file: string, text: string): void {
    const { code } = this.#runner.reader.read(file, text)
    const slot = this.#runner.slot(pathToFileURL(file).href)
    slot.edited = code.code
    this.#runner.maps.set(slot.url, code.mappings)
  }

  /** Whether two rewritten texts differ in bodies of functions alone. */
  differInBodies(file: string, one: string, other: string): boolean {
    const { skeletonOf } = this.#runner.reader.rewriter()
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
    const transformed = this.#runner.reader.transformMs
    let report: ReloadReport
    try {
      if (this.#isClosed) throw new ReloadError('RELOAD_CLOSED', 'the reloader is closed')
      const planned = await plan()
      const files = [...planned.staged.keys()].map(({ file }) => file)
      if (files.length > 0) await this.#ask({ kind, files })
      const prepareMs = this.#clock.now() - started
      report =
        files.length === 0
          ? emptyReport(kind, this.#version, prepareMs)
          : await new Promise<ReloadReport>((resolve) =>
              this.#between(() => resolve(this.#apply(kind, planned, prepareMs))),
            )
    } catch (error) {
      report = {
        ...emptyReport(kind, this.#version, this.#clock.now() - started),
        ok: false,
        failure: failureOf(this.#runner, error),
      }
    }
    report = { ...report, transformMs: this.#runner.reader.transformMs - transformed }
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

  #apply(kind: ReloadKind, planned: Planned, prepareMs: number): ReloadReport {
    const started = this.#clock.now()
    const applied = apply(this.#runner, kind, planned)
    if (applied.ok) this.#version += 1
    const report: ReloadReport = {
      ...emptyReport(kind, this.#version, prepareMs),
      ...(applied.ok
        ? { ...applied.description, verified: applied.verified }
        : { ok: false, failure: applied.failure }),
      applyMs: this.#clock.now() - started,
    }
    if (applied.ok) this.#remember(kind, report, applied.before)
    return report
  }

  #remember(kind: ReloadKind, report: ReloadReport, before: Before): void {
    if (kind === 'rollback') this.#past.pop()
    else this.#past.push({ report, before })
    if (this.#past.length > this.#historyLimit) this.#past.shift()
  }
}

/** Makes the files under `roots` hot from now on: import them after this call. */
export function createReloader(options: ReloaderOptions): Reloader {
  return new Reloader(options)
}
