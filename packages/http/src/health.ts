import type { Clock } from './clock.ts'

/** Says whether something this node needs is there: not when it throws, or gives false. */
export type HealthCheck = () => unknown

export interface CheckResult {
  readonly ok: boolean
  /** Why not, as far as strangers may know: the error's `code`, `timeout` or `failed`. */
  readonly reason?: string
}

export interface HealthReport {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, CheckResult>>
}

/** The readiness checks of a service. A check that is still running is not started again. */
export class Health {
  readonly #checks: ReadonlyMap<string, HealthCheck>
  readonly #running = new Map<string, Promise<CheckResult>>()
  readonly #timeoutMs: number
  readonly #clock: Clock

  constructor(
    checks: Readonly<Record<string, HealthCheck>>,
    options: { readonly timeoutMs: number; readonly clock: Clock },
  ) {
    this.#checks = new Map(Object.entries(checks))
    this.#timeoutMs = options.timeoutMs
    this.#clock = options.clock
  }

  async report(): Promise<HealthReport> {
    const results = await Promise.all(
      Array.from(this.#checks, async ([name, check]) => {
        return [name, await this.#withinTime(this.#run(name, check))] as const
      }),
    )
    return { ok: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) }
  }

  #run(name: string, check: HealthCheck): Promise<CheckResult> {
    let running = this.#running.get(name)
    if (running === undefined) {
      running = outcome(check).finally(() => this.#running.delete(name))
      this.#running.set(name, running)
    }
    return running
  }

  async #withinTime(running: Promise<CheckResult>): Promise<CheckResult> {
    const { promise: timedOut, resolve } = Promise.withResolvers<CheckResult>()
    const cancel = this.#clock.setTimer(this.#timeoutMs, () =>
      resolve({ ok: false, reason: 'timeout' }),
    )
    try {
      return await Promise.race([running, timedOut])
    } finally {
      cancel()
    }
  }
}

async function outcome(check: HealthCheck): Promise<CheckResult> {
  try {
    return (await check()) === false ? { ok: false, reason: 'failed' } : { ok: true }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return { ok: false, reason: typeof code === 'string' ? code : 'failed' }
  }
}
