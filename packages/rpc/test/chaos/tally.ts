import type { RpcError } from '../../src/index.ts'

/** What became of many calls. */
export interface ChaosResult {
  readonly calls: number
  readonly answered: number
  readonly failed: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  /** Calls whose promise is still open when all is over. */
  readonly unsettled: number
  readonly settledTwice: number
  readonly wrongReplies: number
  /** Handlers that ran twice for one call. */
  readonly executedTwice: number
  /** Calls that ran although their error said `executed: 'no'`, or did not although they were answered. */
  readonly misreported: number
  /** From a reset to the end of the last call that waited on that link. */
  readonly slowestResetMs: number
  /** The same for a link that went silent. */
  readonly slowestSilenceMs: number
}

/** Follows calls by their tokens: 0 upwards. */
export class Tally {
  readonly #settled: Uint8Array
  readonly #executed: Uint8Array
  readonly #failed = new Map<string, number>()
  readonly #faults = new Map<string, number>()
  calls = 0
  #answered = 0
  #wrong = 0
  #misreported = 0
  slowestResetMs = 0
  slowestSilenceMs = 0
  /** Handlers tell of their runs; across processes they cannot. */
  readonly #seesHandlers: boolean

  constructor(calls: number, seesHandlers: boolean) {
    this.#settled = new Uint8Array(calls)
    this.#executed = new Uint8Array(calls)
    this.#seesHandlers = seesHandlers
  }

  executed(token: number): void {
    this.#executed[token]! += 1
  }

  isSettled(token: number): boolean {
    return this.#settled[token]! > 0
  }

  get settled(): number {
    return this.#answered + [...this.#failed.values()].reduce((sum, count) => sum + count, 0)
  }

  fault(kind: string): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
  }

  /** @param wanted - The right answer. */
  follow(token: number, promise: Promise<unknown>, wanted: unknown, settled?: () => void): void {
    this.calls += 1
    promise.then(
      (value) => {
        this.#settled[token]! += 1
        this.#answered += 1
        if (value !== wanted) this.#wrong += 1
        if (this.#seesHandlers && this.#executed[token] !== 1) this.#misreported += 1
        settled?.()
      },
      (error: RpcError) => {
        this.#settled[token]! += 1
        const code = error.code ?? error.name
        this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1)
        if (error.executed === 'no' && this.#executed[token] !== 0) this.#misreported += 1
        settled?.()
      },
    )
  }

  result(): ChaosResult {
    let unsettled = 0
    let settledTwice = 0
    let executedTwice = 0
    for (let token = 0; token < this.calls; token++) {
      if (this.#settled[token] === 0) unsettled += 1
      if (this.#settled[token]! > 1) settledTwice += 1
      if (this.#executed[token]! > 1) executedTwice += 1
    }
    return {
      calls: this.calls,
      answered: this.#answered,
      failed: Object.fromEntries([...this.#failed].sort()),
      faults: Object.fromEntries([...this.#faults].sort()),
      unsettled,
      settledTwice,
      wrongReplies: this.#wrong,
      executedTwice,
      misreported: this.#misreported,
      slowestResetMs: this.slowestResetMs,
      slowestSilenceMs: this.slowestSilenceMs,
    }
  }
}
