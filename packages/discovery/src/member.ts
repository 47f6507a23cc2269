import { hashText } from './hash.ts'
import type { Load } from './load.ts'
import type { NodeRecord } from './node-record.ts'
import type { Picking } from './picking.ts'

/** A sample is worth 1/e of a new one after so long. */
const LATENCY_DECAY_MS = 3000
const SILENCE_MS = 900
const MAX_SAMPLES = 1_000_000
const MIN_LATENCY_MS = 1e-3
/** What a success has to be below to double the cost four times over: a failing node is slow at best. */
const MIN_SUCCESS = 0.03
const FIRST_OUTAGE_MS = 1000
const MAX_OUTAGE_MS = 30_000
const MAX_EJECTION_MS = 300_000
const RATE_WINDOW_MS = 10_000
const RATE_MIN_CALLS = 20
/** Beyond it a queue is not told apart from one that never ends. */
const MAX_PRESSURE = 0.95

/** What this process knows of one node from its own calls and from what the node tells. */
export class Member {
  record: NodeRecord
  /** The weight it asks for. */
  share: number
  readonly hash: number
  readonly joinedAt: number
  /** Calls in flight that were picked since the last turn of the page, and before it. */
  fresh = 0
  old = 0
  /** Smoothed; 0 before the first. */
  latencyMs = 0
  /** Of its last calls, recent ones counting more; 1 is all. */
  success = 1
  failuresInARow = 0
  pickedAt: number = -Infinity
  /** Left alone until then: for failing, or for being out of reach. */
  outUntil: number = -Infinity
  out: 'ejected' | 'unreachable' | undefined
  /** It was out and has not yet answered a call since. */
  isOnProbation = false
  load: Load | undefined
  loadAt: number = -Infinity
  /** Its weight, less while it is new or on probation: the share by which it is drawn. Set by `findCandidates`. */
  weight = 1
  /** The weights by those of an average candidate. */
  relativeShare = 1
  relativeWeight = 1
  /** Keys may go to it. */
  takesKeys = false
  /** It has left; what is heard of its calls counts no more. */
  isGone = false
  #outs = 0
  #measuredAt = -Infinity
  #samples = 0
  #windowAt = -Infinity
  #calls = 0
  #failures = 0
  /** What the cost is multiplied with for failures and reported load. */
  factor = 1

  /** @param joinedAt - From when it grows to its whole share; -Infinity: it has it. */
  constructor(record: NodeRecord, joinedAt: number) {
    this.record = record
    this.share = record.weight ?? 1
    this.hash = hashText(record.id)
    this.joinedAt = joinedAt
  }

  set(record: NodeRecord): void {
    this.record = record
    this.share = record.weight ?? 1
  }

  get inFlight(): number {
    return this.fresh + this.old
  }

  /** Calls before and with the next one, each counted for what failures and reported load make of it. */
  queue(relativeWeight: number): number {
    return ((this.fresh + this.old) / relativeWeight + 1) * this.factor
  }

  isOut(now: number): boolean {
    return now < this.outUntil
  }

  measure(latencyMs: number, now: number): void {
    const silence = now - this.#measuredAt
    // A sample after a silence is nearly all that is known of the present.
    const decayMs = silence < SILENCE_MS ? LATENCY_DECAY_MS : LATENCY_DECAY_MS / 3
    this.#samples = Math.min(this.#samples + 1, MAX_SAMPLES)
    // The first samples weigh the same: none of them stands for the seconds before it.
    const gain = Math.max(1 - Math.exp(-silence / decayMs), 1 / this.#samples)
    // A latency of nothing would make any queue free.
    this.latencyMs = Math.max(this.latencyMs + (latencyMs - this.latencyMs) * gain, MIN_LATENCY_MS)
    this.#measuredAt = now
  }

  succeeded(now: number): void {
    this.#count(now, false)
    this.failuresInARow = 0
    if (this.success < 1) {
      this.success = this.success > 0.99 ? 1 : this.success + (1 - this.success) / 4
      this.#weigh()
    }
    if (this.#outs > 0 && now - this.outUntil > RATE_WINDOW_MS) this.#outs = 0
  }

  /** @returns Whether it has now failed too often. */
  failed(now: number, { maxFailures, maxFailureRate }: Picking): boolean {
    this.#count(now, true)
    this.failuresInARow += 1
    this.success = Math.max(MIN_SUCCESS, this.success / 2)
    this.#weigh()
    const isRateHigh =
      this.#calls >= RATE_MIN_CALLS && this.#failures >= this.#calls * maxFailureRate
    return this.isOnProbation || isRateHigh || this.failuresInARow >= maxFailures
  }

  eject(now: number, ejectionMs: number, jitter: number): void {
    this.#leaveAlone(
      'ejected',
      now,
      Math.min(ejectionMs * 2 ** this.#outs, MAX_EJECTION_MS),
      jitter,
    )
  }

  lose(now: number, jitter: number): void {
    this.success = MIN_SUCCESS
    this.#weigh()
    this.#leaveAlone(
      'unreachable',
      now,
      Math.min(FIRST_OUTAGE_MS * 2 ** this.#outs, MAX_OUTAGE_MS),
      jitter,
    )
  }

  /** It is heard of again: nothing is held against it. */
  restore(): void {
    this.out = undefined
    this.outUntil = -Infinity
    this.isOnProbation = false
    this.#outs = 0
    this.failuresInARow = 0
    this.success = 1
    this.#calls = 0
    this.#failures = 0
    this.#weigh()
  }

  tell(load: Load, now: number): void {
    this.load = load
    this.loadAt = now
    this.#weigh()
  }

  turnPage(): void {
    this.old = this.fresh
    this.fresh = 0
  }

  #leaveAlone(out: 'ejected' | 'unreachable', now: number, ms: number, jitter: number): void {
    this.out = out
    this.outUntil = now + ms * (0.9 + jitter / 5)
    this.isOnProbation = true
    this.#outs += 1
    this.#calls = 0
    this.#failures = 0
  }

  #count(now: number, isFailure: boolean): void {
    if (now - this.#windowAt > RATE_WINDOW_MS) {
      this.#windowAt = now
      this.#calls = 0
      this.#failures = 0
    }
    this.#calls += 1
    if (isFailure) this.#failures += 1
  }

  #weigh(): void {
    const pressure = Math.min(this.load?.pressure ?? 0, MAX_PRESSURE)
    // As long as a queue waits that is used so much, and a failure is a call that has to be made again.
    this.factor = 1 / (1 - pressure) / this.success ** 2
  }
}
