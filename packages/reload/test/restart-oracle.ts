// A running app that is edited and reloaded, against a restart of the same program with the migrated state.
import { deepStrictEqual } from 'node:assert'
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { seededRandom } from '@rts/testing'
import type { ReloadReport, ReloadWarningKind, Reloader } from '../src/index.ts'
import { type Pick, type Program, edit, fileOf, filesOf, generate } from './app-generator.ts'
import {
  type Held,
  type Namespaces,
  Surroundings,
  classOf,
  observe,
  save,
  saveInstance,
} from './app-observer.ts'
import type { FreshRequest } from './fresh-process.ts'

const FRESH = new URL('./fresh-process.ts', import.meta.url)
const SECRET_IS_TOLD: readonly ReloadWarningKind[] = ['parent-changed', 'private-reset']
const IDENTITY_IS_TOLD: readonly ReloadWarningKind[] = ['class-removed', 'module-unused']

export interface OracleOptions {
  readonly folder: string
  readonly createReloader: (folder: string) => Reloader
  readonly seed: number
  readonly modules: number
  readonly edits: number
  /** Restarts are processes rather than threads after this many edits of a sequence. */
  readonly processFrom: number
}

interface Root {
  modules(): Namespaces
  all(): Record<string, unknown>
}

interface Saved {
  readonly state: ReturnType<typeof save>
  readonly disposed: number
}

/** What was done, for the one who wants to know how much was covered. */
export interface Followed {
  edits: number
  refused: number
  rolledBack: number
  processes: number
  /** Answers that differed from a restart's and that the report had told of. */
  told: number
}

export class RestartOracle {
  readonly #options: OracleOptions
  readonly #random: Pick
  readonly #surroundings = new Surroundings()
  readonly followed: Followed = { edits: 0, refused: 0, rolledBack: 0, processes: 0, told: 0 }
  #program: Program
  #files: Record<string, string> = {}
  #reloader!: Reloader
  #root!: Root
  #held: Held[] = []
  /** Files that hold copies of what was replaced, as reports told. */
  readonly #stale = new Set<string>()
  #step = 0

  constructor(options: OracleOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.#program = generate(this.#random, options.modules)
  }

  /** One sequence of edits; throws where the reloaded process and a restart differ. */
  async follow(): Promise<Followed> {
    const { folder, modules, edits } = this.#options
    const apps = ((globalThis as { rtsTestApps?: Map<string, Surroundings> }).rtsTestApps ??=
      new Map<string, Surroundings>())
    apps.set(folder, this.#surroundings)
    Object.assign(globalThis, {
      rtsTestApp: (url: string) =>
        [...apps].find(([one]) => fileURLToPath(url).startsWith(one))![1],
    })
    this.#write(filesOf(this.#program))
    this.#reloader = this.#options.createReloader(folder)
    this.#root = await this.#reloader.import<Root & Record<string, unknown>>(
      join(folder, 'root.ts'),
    )
    for (let module = 0; module < modules; module += 1) this.#hold(module)
    try {
      for (this.#step = 0; this.#step < edits; this.#step += 1) await this.#edit()
    } catch (error) {
      const place = `seed ${this.#options.seed}, edit ${this.#step + 1}`
      throw new Error(`${place}: ${(error as Error).message}`, { cause: error })
    } finally {
      this.#reloader.close()
      apps.delete(folder)
    }
    return this.followed
  }

  #hold(module: number): void {
    for (const name of [`C${module}`, `D${module}`]) {
      const namespaces = this.#root.modules()
      if (typeof namespaces[module]![name] !== 'function') continue
      this.#held.push({ module, name, instance: new (classOf(namespaces, module, name))() })
    }
  }

  #write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) {
      if (this.#files[name] === text) continue
      mkdirSync(dirname(join(this.#options.folder, name)), { recursive: true })
      writeFileSync(join(this.#options.folder, name), text)
    }
    for (const name of Object.keys(this.#files))
      if (!(name in files)) rmSync(join(this.#options.folder, name))
    this.#files = files
  }

  async #edit(): Promise<void> {
    const random = this.#random
    const before = this.#program
    const index = random.int(this.#options.modules)
    const modules = before.modules.map((one, at) => (at === index ? edit(random, one, at) : one))
    this.#program = { ...before, modules }
    if (random.int(5) === 0) await this.#refuse(index)
    this.#write(filesOf(this.#program))
    const saved = this.#save()
    const isFull = random.int(4) === 0
    const report = isFull ? await this.#reloader.full() : await this.#reloader.incremental()
    if (!report.ok) throw report.failure!.cause
    this.#check(before, saved, report, index)
    await this.#compare()
    this.followed.edits += 1
    if (report.files.length > 0 && random.int(6) === 0) {
      const saved = this.#save()
      const undone = await this.#reloader.rollback()
      if (!undone.ok) throw undone.failure!.cause
      // The files too, for the next edit.
      this.#program = before
      this.#write(filesOf(before))
      this.#check({ ...before, modules }, saved, undone, index)
      await this.#compare()
      // As a watcher would: the file is what it was before the edit that was undone.
      const again = await this.#reloader.incremental()
      if (!again.ok) throw again.failure!.cause
      for (const { file } of again.files) this.#stale.delete(file)
      this.followed.rolledBack += 1
    }
    if (random.int(2) === 0) this.#hold(index)
  }

  #save(): Saved {
    const state = structuredClone(save(this.#root.modules(), this.#held))
    return { state, disposed: this.#surroundings.disposed.length }
  }

  /** A broken version of the edit: nothing may change, and the report says where. */
  async #refuse(index: number): Promise<void> {
    const files = filesOf(this.#program)
    const name = fileOf(this.#program.modules[index]!, index)
    const text = files[name]!
    const lines = text.split('\n').length
    const [broken, line] = (
      [
        [`${text}\nthrow new Error('broken')`, lines + 1],
        [`${text}export const wrong = {`, lines],
        [`import './none.ts'\n${text}`, 1],
        [`${text}import { none } from '@rts/reload'\nvoid none`, lines],
        [`${text}export class Wrong extends (1 as any) {}`, lines],
        [`${text}await 1`, lines],
        [`${text}export class Late { static onReload() {} }\nnull!.x`, lines + 1],
      ] as const
    )[this.#random.int(7)]!
    const before = this.#save()
    this.#write({ ...files, [name]: broken })
    const { ok, failure } = await this.#reloader.incremental()
    if (ok) throw new Error(`a broken edit was accepted: ${broken.slice(-60)}`)
    const file = join(this.#options.folder, name)
    deepStrictEqual({ ...failure!.place, column: 0 }, { file, line, column: 0 }, failure!.message)
    deepStrictEqual(this.#save(), before)
    this.followed.refused += 1
  }

  /** The rules of a reload that a restart knows nothing of; state goes on, and what cannot is told. */
  #check(before: Program, saved: Saved, report: ReloadReport, index: number): void {
    const { folder, modules: count } = this.#options
    const told = (kinds: readonly ReloadWarningKind[]): boolean =>
      report.warnings.some(({ kind }) => kinds.includes(kind))
    const reloaded = new Set(report.files.map(({ file }) => file))
    for (const file of reloaded) this.#stale.delete(file)
    for (const { kind, file } of report.warnings)
      if (kind === 'copied-export') this.#stale.add(file)

    const namespaces = this.#root.modules()
    const [old, now] = [before.modules[index]!, this.#program.modules[index]!]
    const state = save(namespaces, []).modules as { calls: number; kept: number }[]
    for (let at = 0; at < count; at += 1) {
      const file = join(folder, fileOf(this.#program.modules[at]!, at))
      const was = saved.state.modules[at] as { calls: number; kept: number }
      if (reloaded.has(file) || state[at]!.calls === was.calls) continue
      throw new Error(`state of ${file}, which was not reloaded, changed`)
    }
    // Kept state goes on, apart from what the reload itself counted.
    if (
      old.place === now.place &&
      state[index]!.kept < (saved.state.modules[index] as { kept: number }).kept
    )
      throw new Error('kept state was lost')
    const wasRun = reloaded.has(join(folder, fileOf(now, index))) && old.place === now.place
    const disposed = this.#surroundings.disposed.slice(saved.disposed)
    const tag = `${index} ${old.factor} ${old.add}`
    if (wasRun && disposed.filter((one) => one === tag).length !== 1)
      throw new Error(`onDispose of the version before ran ${disposed.join()} rather than ${tag}`)
    if (old.hp !== now.hp && wasRun && !told(['field-initialiser']))
      throw new Error('a field initialiser changed and the report does not say so')
    if (old.mana === undefined && now.mana !== undefined && wasRun && !told(['field-added']))
      throw new Error('a field was added and the report does not say so')

    this.#held = this.#held.filter(({ module, name, instance }) => {
      const Class = namespaces[module]![name] as (new () => object) | undefined
      if (Class !== undefined && instance instanceof Class) return true
      if (!told(IDENTITY_IS_TOLD))
        throw new Error(`an instance of ${name} is none any more, untold`)
      return false
    })
    for (const one of this.#held)
      for (const [key, secret] of saveInstance(one, count).secrets) {
        if (secret !== undefined) continue
        if (!told(SECRET_IS_TOLD)) throw new Error(`${key} of ${one.name} was lost, untold`)
        ;(one.instance as Record<string, (value: number) => void>)[key]!(index)
      }
  }

  async #compare(): Promise<void> {
    const namespaces = this.#root.modules()
    const state = save(namespaces, this.#held)
    const isProcess = this.#step >= this.#options.processFrom
    if (isProcess) this.followed.processes += 1
    const restarted = await restart({ folder: this.#options.folder, state }, isProcess)
    const live = observe(namespaces, this.#root.all(), this.#held, this.#surroundings)
    for (const [index, module] of this.#program.modules.entries()) {
      const file = join(this.#options.folder, fileOf(module, index))
      const key = `m${index} copied`
      if (JSON.stringify(live[key]) === JSON.stringify(restarted[key]) || !this.#stale.has(file))
        continue
      this.followed.told += 1
      live[key] = restarted[key]
    }
    deepStrictEqual(live, restarted)
  }
}

function restart(request: FreshRequest, isProcess: boolean): Promise<Record<string, unknown>> {
  const execArgv = ['--conditions=@rts/source', '--disable-warning=ExperimentalWarning']
  return new Promise((resolve, reject) => {
    if (!isProcess) {
      const worker = new Worker(FRESH, { workerData: structuredClone(request), execArgv })
      worker.once('message', resolve).once('error', reject)
      return
    }
    const args = [...execArgv, fileURLToPath(FRESH)]
    const child = execFile(process.execPath, args, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as Record<string, unknown>)
      else reject(error)
    })
    child.stdin!.end(JSON.stringify(request))
  })
}
