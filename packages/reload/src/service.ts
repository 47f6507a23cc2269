import type { Reloader } from './reloader.ts'
import type { ReloadReport } from './report.ts'

/** A report that travels: what an operator reads. */
export interface ReloadSummary {
  readonly ok: boolean
  readonly kind: string
  readonly version: number
  readonly files: readonly {
    readonly file: string
    readonly version: number
    /** Of the text that runs now: two nodes with the same run the same. */
    readonly hash?: string
  }[]
  readonly classes: readonly string[]
  readonly warnings: readonly string[]
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly applyMs: number
}

/** How a node does of late: what a canary is judged by. */
export interface ReloadHealth {
  readonly version: number
  /** Failures per call, from 0 to 1. */
  readonly errorRate: number
  /** What the rate was measured over. */
  readonly calls?: number
  /** What failed last, for people. */
  readonly lastError?: string
}

/** What a node counts about itself. */
export interface Vitals {
  errorRate(): number
  calls?(): number
  lastError?(): string | undefined
}

/**
 * The reloader as a service for administrators: `rpc.expose('reload', new ReloadService(reloader, ...))`. Its table
 * opens it to the caller kind `admin` and to nobody else.
 */
export class ReloadService {
  static readonly rpc = {
    incremental: 'admin',
    full: 'admin',
    rollback: 'admin',
    status: 'admin',
    health: 'admin',
  } as const

  readonly #reloader: Reloader
  readonly #vitals: Vitals

  /** @param vitals - What a canary is judged by: the failures per call of the node of late, from 0 to 1, or more. */
  constructor(reloader: Reloader, vitals: Vitals | (() => number) = () => 0) {
    this.#reloader = reloader
    this.#vitals = typeof vitals === 'function' ? { errorRate: vitals } : vitals
  }

  async incremental(): Promise<ReloadSummary> {
    return summarise(await this.#reloader.incremental())
  }

  async full(): Promise<ReloadSummary> {
    return summarise(await this.#reloader.full())
  }

  async rollback(): Promise<ReloadSummary> {
    return summarise(await this.#reloader.rollback())
  }

  status(): { version: number; files: number; history: readonly ReloadSummary[] } {
    const { version, files } = this.#reloader
    return { version, files: files.length, history: this.#reloader.history().map(summarise) }
  }

  health(): ReloadHealth {
    const { version } = this.#reloader
    const calls = this.#vitals.calls?.()
    const lastError = this.#vitals.lastError?.()
    return {
      version,
      errorRate: this.#vitals.errorRate(),
      ...(calls !== undefined && { calls }),
      ...(lastError !== undefined && { lastError }),
    }
  }
}

function summarise(report: ReloadReport): ReloadSummary {
  const { ok, kind, version, files, classes, warnings, failure, applyMs } = report
  return {
    ok,
    kind,
    version,
    files: files.map(({ file, version: own, hash }) => ({ file, version: own, hash })),
    classes: classes.map(({ name }) => name),
    warnings: warnings.map(({ file, line, message }) => `${file}:${line ?? 1} ${message}`),
    failure: failure === undefined ? null : { code: failure.code, message: failure.message },
    applyMs,
  }
}
