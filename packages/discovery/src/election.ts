import type { Backend, KeyValue } from './backend.ts'
import type { ClaimHolder, Lock } from './claim.ts'
import type { Clock } from './clock.ts'
import { Emitter } from './emitter.ts'
import { linePrefix } from './keys.ts'
import { LiveView } from './live-view.ts'
import type { Logger } from './logger.ts'
import type { Random } from './random.ts'

/** What a node has while it leads. `release` resigns. */
export type Leadership = Lock

export interface CampaignOptions {
  /** Ends the campaign. */
  readonly signal?: AbortSignal
  /** Milliseconds until `DISCOVERY_TIMEOUT`. @defaultValue Infinity */
  readonly timeoutMs?: number
}

/** One office that one of many nodes has at a time; candidates follow each other in the order they came. */
export interface Election {
  readonly name: string
  /** Settles when this node leads. One campaign at a time; after a loss or `resign` it may stand again. */
  campaign(value: string, options?: CampaignOptions): Promise<Leadership>
  /** Gives the leadership up, or the campaign for it. Without either it does nothing. */
  resign(): Promise<void>
  /** Who leads now, from the store. */
  leader(options?: CampaignOptions): Promise<ClaimHolder | undefined>
  /** Tells who leads, first what is so now, then each change. While the store is away, nothing. Returns the undo. */
  observe(listener: (leader: ClaimHolder | undefined) => void): () => void
}

export interface LiveElectionOptions {
  readonly backend: Backend
  readonly cluster: string
  readonly name: string
  readonly enter: (value: string, options: CampaignOptions) => Promise<Lock>
  readonly callTimeoutMs: number
  readonly auditIntervalMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

interface ElectionEvents {
  leader: (leader: ClaimHolder | undefined) => void
}

export class LiveElection implements Election {
  readonly name: string
  readonly #options: LiveElectionOptions
  readonly #prefix: string
  readonly #emitter: Emitter<ElectionEvents>
  #listeners = 0
  #view: LiveView | undefined
  #seen: ClaimHolder | undefined
  #isSeen = false
  #campaign: AbortController | undefined
  #leadership: Leadership | undefined

  constructor(options: LiveElectionOptions) {
    this.#options = options
    this.name = options.name
    this.#prefix = linePrefix(options.cluster, 'elections', options.name)
    this.#emitter = new Emitter((event, error) =>
      options.logger.error('an election listener threw', { name: this.name, event, error }),
    )
  }

  async campaign(value: string, options: CampaignOptions = {}): Promise<Leadership> {
    const { clock, enter } = this.#options
    if (this.#campaign || (this.#leadership?.heldUntil ?? 0) > clock.now()) {
      throw new TypeError(`this node is a candidate of ${this.name} already`)
    }
    const campaign = new AbortController()
    this.#campaign = campaign
    const signals = options.signal ? [options.signal, campaign.signal] : [campaign.signal]
    try {
      const signal = AbortSignal.any(signals)
      this.#leadership = await enter(value, { ...options, signal })
      return this.#leadership
    } finally {
      this.#campaign = undefined
    }
  }

  async resign(): Promise<void> {
    this.#campaign?.abort(new DOMException('the candidate resigned', 'AbortError'))
    await this.#leadership?.release()
  }

  async leader(options: CampaignOptions = {}): Promise<ClaimHolder | undefined> {
    const { backend, callTimeoutMs } = this.#options
    const { timeoutMs = callTimeoutMs, signal } = options
    const call = signal ? { timeoutMs, signal } : { timeoutMs }
    const { entries } = await backend.range({ prefix: this.#prefix }, call)
    return this.#first(entries)
  }

  observe(listener: (leader: ClaimHolder | undefined) => void): () => void {
    let isOn = true
    let isTold = false
    const tell = (leader: ClaimHolder | undefined) => {
      isTold = true
      listener(leader)
    }
    const undo = this.#emitter.on('leader', tell)
    this.#listeners++
    // Not inside this call: the caller has its undo first, as with the first answer of the store.
    this.#options.clock.defer(() => {
      if (isOn && !isTold && this.#isSeen) tell(this.#seen)
    })
    this.#view ??= this.#watch()
    return () => {
      if (!isOn) return
      isOn = false
      undo()
      if (--this.#listeners === 0) this.close()
    }
  }

  /** Observes no more. */
  close(): void {
    this.#view?.close()
    this.#view = undefined
    this.#isSeen = false
  }

  #watch(): LiveView {
    const look = () => {
      if (!view.isListed) return
      const leader = this.#first([...view.entries.values()])
      if (this.#isSeen && leader?.fence === this.#seen?.fence) return
      this.#seen = leader
      this.#isSeen = true
      this.#emitter.emit('leader', leader)
    }
    const { backend, callTimeoutMs, auditIntervalMs, clock, random, logger } = this.#options
    const view: LiveView = new LiveView({
      backend,
      range: { prefix: this.#prefix },
      callTimeoutMs,
      auditIntervalMs,
      clock,
      random,
      logger,
      onChange: look,
      onFresh: () => {},
      onInterrupted: () => {},
      onListed: look,
    })
    return view
  }

  #first(entries: readonly KeyValue[]): ClaimHolder | undefined {
    let first: KeyValue | undefined
    for (const entry of entries) {
      if (!first || entry.createRevision < first.createRevision) first = entry
    }
    return first && { key: this.name, value: first.value, fence: first.createRevision }
  }
}
