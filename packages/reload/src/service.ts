import type { Reloader } from './reloader.ts'
import type { ReloadReport } from './report.ts'

/** A report that travels: what an operator reads. */
export interface ReloadSummary {
  readonly ok: boolean
  readonly kind: string
  readonly version: number
  readonly files: readonly { readonly file: string; readonly version: number }[]
  readonly classes: readonly string[]
  readonly warnings: readonly string[]
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly applyMs: number
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
  readonly #errorRate: () => number

  /** @param errorRate - Failures per call of the node of late, from 0 to 1: what a canary is judged by. */
  constructor(reloader: Reloader, errorRate: () => number = () => 0) {
    this.#reloader = reloader
    this.#errorRate = errorRate
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

  health(): { version: number; errorRate: number } {
    return { version: this.#reloader.version, errorRate: this.#errorRate() }
  }
}

function summarise(report: ReloadReport): ReloadSummary {
  const { ok, kind, version, files, classes, warnings, failure, applyMs } = report
  return {
    ok,
    kind,
    version,
    files: files.map(({ file, version: own }) => ({ file, version: own })),
    classes: classes.map(({ name }) => name),
    warnings: warnings.map(({ file, line, message }) => `${file}:${line ?? 1} ${message}`),
    failure: failure === undefined ? null : { code: failure.code, message: failure.message },
    applyMs,
  }
}
