// One row of the fidelity table: what is taken from a module before a reload, and what of it is seen afterwards.
import { expect } from 'vitest'
import type { ReloadReport, ReloaderOptions } from '../src/index.ts'
import { HotApp, native } from './hot-app.ts'

// eslint-disable-next-line typescript/no-explicit-any -- what a module written as text exports
export type Exports = any

export type Way = 'incremental' | 'full' | 'rollback' | 'live edit'
export const WAYS: readonly Way[] = ['incremental', 'full', 'live edit', 'rollback']

/** The version that a text with `n` in it runs after each way, in their order. */
const VERSION: Readonly<Record<Way, number>> = {
  incremental: 2,
  full: 3,
  'live edit': 4,
  rollback: 2,
}

export interface Row {
  readonly name: string
  /** The module, differing in `n` alone. */
  readonly source: (n: number) => string
  /** Modules beside it, which import it from `./m.ts`; `sub.ts` is loaded instead of it. */
  readonly beside?: Readonly<Record<string, string>>
  readonly take: (module: Exports) => unknown
  /** A number that tells which version's code ran. */
  readonly see: (held: Exports, module: Exports) => unknown
  readonly options?: Partial<ReloaderOptions>
  /** What is seen where that is not the new version: by the version before and the new one. */
  readonly sees?: Partial<Record<Way, (before: number, now: number) => unknown>>
  /** Kinds of warnings that a reload gives, if any. */
  readonly warns?: readonly string[]
  /** What V8 says to the live edit. @defaultValue Ok */
  readonly liveStatus?: string
}

/** An app that goes through the four ways, in order. */
export class FidelityRow implements AsyncDisposable {
  readonly #row: Row
  readonly #app: HotApp
  readonly #module: Exports
  #version = 1

  private constructor(row: Row, app: HotApp, module: Exports) {
    this.#row = row
    this.#app = app
    this.#module = module
  }

  static async open(row: Row): Promise<FidelityRow> {
    const app = await HotApp.open({ 'm.ts': row.source(1), ...row.beside }, row.options)
    const module = await app.import(row.beside?.['sub.ts'] === undefined ? 'm.ts' : 'sub.ts')
    return new FidelityRow(row, app, module)
  }

  /** Takes something, reloads in one way, looks at it. */
  async check(way: Way): Promise<void> {
    const row = this.#row
    const held = row.take(this.#module)
    const before = this.#version
    const now = VERSION[way]
    if (way !== 'rollback') this.#app.write({ 'm.ts': row.source(now) })
    if (way === 'live edit') {
      const { status } = native.liveEdit(this.#app.reloader, this.#app.path('m.ts'))
      expect(status).toBe(row.liveStatus ?? 'Ok')
    } else {
      const { reloader } = this.#app
      const report: ReloadReport = await (way === 'incremental'
        ? reloader.incremental()
        : way === 'full'
          ? reloader.full()
          : reloader.rollback())
      if (!report.ok) throw report.failure!.cause
      const kinds = [...new Set(report.warnings.map(({ kind }) => kind))]
      expect(kinds).toEqual(row.warns ?? [])
      for (const { file, line } of report.warnings)
        expect([file.startsWith(this.#app.folder), line! > 0]).toEqual([true, true])
    }
    const expected = row.sees?.[way]?.(before, now) ?? now
    expect(await row.see(held, this.#module)).toEqual(expected)
    this.#version = row.liveStatus === undefined || way !== 'live edit' ? now : before
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#app[Symbol.asyncDispose]()
  }
}
