import type { CallFrame, CallTopic } from './incoming-call.ts'
import { IncomingCall } from './incoming-call.ts'
import { NO_CHAIN } from './chain.ts'
import type { Asked, Probe } from './deadlock-watch.ts'
import { RpcError } from './errors.ts'
import type { RpcPeer } from './peer.ts'
import type { PeerHost } from './peer-host.ts'

/** What a call that is not answered yet does when it ends. */
interface LocalCallEnd {
  /** The caller's time is up while the handler runs. */
  expired(call: LocalCall): void
  /** The caller's signal fired. */
  aborted(call: LocalCall): void
}

export interface LocalCallOptions {
  /** From now; `Infinity` for a notification. */
  readonly timeoutMs: number
  /** The deadline of the handler that makes the call. */
  readonly until?: number | undefined
  /** The handler that waits for it, when others may wait for that. */
  readonly from?: CallFrame | undefined
  /** The caller's signal. */
  readonly signal?: AbortSignal | undefined
}

/** A call from this node to itself: both what its caller waits for and what its handler sees. */
export class LocalCall extends IncomingCall implements Asked {
  /** It has its answer. */
  isSettled = false
  hasFailed = false
  /** The answer, or the error. */
  outcome: unknown = undefined
  readonly abortSignal: AbortSignal | undefined
  readonly from: CallFrame | undefined
  /** Its answer is a stream that has not ended. */
  isStreaming = false
  /** Is told what it fails with. */
  onFailed: ((reason: unknown) => void) | undefined
  readonly #timeoutMs: number
  readonly #outer: number | undefined
  #deadline: number | undefined
  readonly #host: PeerHost
  readonly #ends: LocalCallEnd
  #promise: Promise<unknown> | undefined
  #resolve: ((value: unknown) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(
    peer: RpcPeer,
    host: PeerHost,
    ends: LocalCallEnd,
    id: number,
    topic: CallTopic,
    options: LocalCallOptions,
  ) {
    const { timeoutMs, until, from, signal } = options
    super(peer, host, id, undefined, from?.chainOn ?? NO_CHAIN, topic)
    this.#timeoutMs = timeoutMs
    this.#outer = until
    this.#host = host
    this.#ends = ends
    this.from = from
    this.abortSignal = signal
  }

  /** Most handlers are done before anybody asks. */
  override get deadline(): number | undefined {
    if (this.#timeoutMs === Infinity) return undefined
    return (this.#deadline ??= Math.min(
      this.#host.clock.now() + this.#timeoutMs,
      this.#outer ?? Infinity,
    ))
  }

  /** The promise of what is not answered yet. */
  pend(): Promise<unknown> {
    return (this.#promise ??= new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    }))
  }

  settle(hasFailed: boolean, outcome: unknown): void {
    this.isSettled = true
    this.hasFailed = hasFailed
    this.outcome = outcome
    if (hasFailed) this.onFailed?.(outcome)
    if (hasFailed) this.#reject?.(outcome)
    else this.#resolve?.(outcome)
  }

  /** The handler has begun and goes on: from here the deadline ends the wait of the caller too. */
  runOn(): void {
    const { deadline } = this
    if (deadline !== undefined && this.slot < 0 && !this.isSettled) {
      this.#host.wheel.add(this, deadline)
    }
  }

  override expire(): void {
    if (this.waiting !== undefined) {
      super.expire()
      return
    }
    this.#ends.expired(this)
    this.end(new RpcError('RPC_TIMEOUT', 'the deadline of the call has passed'))
  }

  /** The caller's signal fired. */
  handleEvent(): void {
    this.#ends.aborted(this)
  }

  probe(probe: Probe): void {
    this.#host.deadlocks.onProbe(probe, this)
  }
}
