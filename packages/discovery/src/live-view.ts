import { Backoff } from './backoff.ts'
import type { Backend, KeyRange, KeyValue, WatchEnd, WatchEvent, WatchHandle } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import { unitFrom, type Random } from './random.ts'

export interface LiveViewOptions {
  readonly backend: Backend
  readonly range: KeyRange
  readonly callTimeoutMs: number
  /** Milliseconds between lists that only check what the watch says. */
  readonly auditIntervalMs: number
  /** How many others read again when the backend was away. @defaultValue 0 */
  readonly fleet?: () => number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** `before` is what stood there, `after` what stands there now; never both missing, never equal. */
  readonly onChange: (before: KeyValue | undefined, after: KeyValue | undefined) => void
  /** The backend can be heard, or not. */
  readonly onFresh: (isFresh: boolean) => void
  /** A list or a watch failed: what comes next may be the changes of a long time at once. */
  readonly onInterrupted: () => void
  /** The whole range has been read (again). */
  readonly onListed: () => void
}

const RETRY_BASE_MS = 50
const RETRY_MAX_MS = 900
const RETURN_MS_PER_NODE = 10
/** A view is not to be stale for much longer than the outage, however large the fleet. */
const MAX_SPREAD_MS = 10_000

/**
 * The entries of a range as a set that follows the store: a list, then a watch from the next revision,
 * resumed after a cut from the last delivered one. When the history is gone, or in any doubt, it lists again
 * and tells the difference. What it knows it keeps while the store is away.
 */
export class LiveView {
  readonly #options: LiveViewOptions
  readonly #backoff: Backoff
  readonly #entries = new Map<string, KeyValue>()
  #nextRevision = 0
  #isListed = false
  #isFresh = false
  #isClosed = false
  #isRelisting = false
  #watch: WatchHandle | undefined
  #abort = new AbortController()
  #cancelTimer: () => void = () => {}
  #listCount = 0

  constructor(options: LiveViewOptions) {
    this.#options = options
    this.#backoff = new Backoff({
      baseMs: RETRY_BASE_MS,
      maxMs: RETRY_MAX_MS,
      random: options.random,
      spreadMs: () => Math.min((options.fleet?.() ?? 0) * RETURN_MS_PER_NODE, MAX_SPREAD_MS),
    })
    void this.#list()
  }

  get entries(): ReadonlyMap<string, KeyValue> {
    return this.#entries
  }

  get isListed(): boolean {
    return this.#isListed
  }

  get isFresh(): boolean {
    return this.#isFresh
  }

  /** How often the range was read whole. */
  get listCount(): number {
    return this.#listCount
  }

  close(): void {
    this.#isClosed = true
    this.#cancelTimer()
    this.#watch?.close()
    this.#abort.abort()
  }

  async #list(): Promise<void> {
    const { backend, range, callTimeoutMs, logger, onListed } = this.#options
    this.#stopWatch()
    try {
      const result = await backend.range(range, {
        timeoutMs: callTimeoutMs,
        signal: this.#abort.signal,
      })
      if (this.#isClosed) return
      this.#listCount++
      this.#replace(result.entries)
      this.#nextRevision = result.revision + 1
      this.#isListed = true
      onListed()
    } catch (error) {
      if (this.#isClosed) return
      logger.debug('list failed, trying again', { range, error })
      this.#interrupt(this.#backoff.nextMs(), () => void this.#list())
      return
    }
    if (!this.#isClosed) this.#startWatch()
  }

  /**
   * Goes on from the last delivered change, if this is still the store it came from: one that lost its data
   * may by now have counted past the revision we know, and would keep from us what it counted on the way.
   */
  async #resume(): Promise<void> {
    const { backend, callTimeoutMs } = this.#options
    let witness: KeyValue | undefined
    for (const entry of this.#entries.values()) {
      if (!witness || entry.modRevision > witness.modRevision) witness = entry
    }
    if (!witness) return this.#list()
    let stored: KeyValue | undefined
    try {
      stored = await backend.entryAt(witness.key, this.#nextRevision - 1, {
        timeoutMs: callTimeoutMs,
        signal: this.#abort.signal,
      })
    } catch {
      if (!this.#isClosed) this.#interrupt(this.#backoff.nextMs(), () => void this.#resume())
      return
    }
    if (this.#isClosed) return
    const isSame =
      stored?.modRevision === witness.modRevision &&
      stored.createRevision === witness.createRevision &&
      stored.lease === witness.lease &&
      stored.value === witness.value
    if (isSame) this.#startWatch()
    else await this.#list()
  }

  #startWatch(): void {
    const { backend, range } = this.#options
    this.#watch = backend.watch(range, this.#nextRevision, {
      onStart: () => this.#onStart(),
      onEvents: (events) => this.#onEvents(events),
      onEnd: (end) => this.#onEnd(end),
    })
  }

  #stopWatch(): void {
    this.#cancelTimer()
    this.#watch?.close()
    this.#watch = undefined
  }

  #onStart(): void {
    const { auditIntervalMs, random } = this.#options
    this.#backoff.reset()
    this.#isRelisting = false
    this.#setFresh(true)
    this.#after(auditIntervalMs * (0.75 + unitFrom(random) / 2), () => void this.#list())
  }

  #onEvents(events: readonly WatchEvent[]): void {
    const from = this.#nextRevision
    for (const event of events) {
      const isPut = event.kind === 'put'
      const revision = isPut ? event.entry.modRevision : event.modRevision
      if (revision < from) continue
      this.#set(isPut ? event.entry.key : event.key, isPut ? event.entry : undefined)
      this.#nextRevision = Math.max(this.#nextRevision, revision + 1)
      if (this.#isClosed) return
    }
  }

  #onEnd(end: WatchEnd): void {
    this.#options.logger.debug('watch ended', { range: this.#options.range, ...end })
    this.#stopWatch()
    if (end.kind === 'disconnected') {
      this.#interrupt(this.#backoff.nextMs(), () => void this.#resume())
      return
    }
    // The store is there and only the history is not, so there is nothing to wait for, unless it says so again.
    const delayMs = this.#isRelisting ? this.#backoff.nextMs() : 0
    this.#isRelisting = true
    this.#interrupt(delayMs, () => void this.#list())
  }

  #interrupt(delayMs: number, again: () => void): void {
    this.#options.onInterrupted()
    this.#setFresh(false)
    this.#after(delayMs, again)
  }

  #replace(entries: readonly KeyValue[]): void {
    const present = new Set(entries.map((entry) => entry.key))
    for (const key of [...this.#entries.keys()]) if (!present.has(key)) this.#set(key, undefined)
    for (const entry of entries) this.#set(entry.key, entry)
  }

  #set(key: string, after: KeyValue | undefined): void {
    const before = this.#entries.get(key)
    if (after) this.#entries.set(key, after)
    else this.#entries.delete(key)
    const isSame = before?.modRevision === after?.modRevision && before?.value === after?.value
    if (!isSame && !this.#isClosed) this.#options.onChange(before, after)
  }

  #setFresh(isFresh: boolean): void {
    if (this.#isFresh === isFresh) return
    this.#isFresh = isFresh
    this.#options.onFresh(isFresh)
  }

  #after(delayMs: number, work: () => void): void {
    this.#cancelTimer()
    if (!this.#isClosed)
      this.#cancelTimer = inBackground(this.#options.clock).setTimer(delayMs, work)
  }
}
