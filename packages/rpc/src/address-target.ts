import { callHere, frameHere } from './call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from './call-target.ts'
import { CLOSE } from './close-codes.ts'
import type { Clock } from './clock.ts'
import type { Counters } from './counters.ts'
import { Timed, type DeadlineWheel } from './deadline-wheel.ts'
import { RpcError } from './errors.ts'
import type { OutgoingCalls } from './outgoing-calls.ts'
import { targetOf, type RpcPeer } from './peer.ts'
import type { Random } from './random.ts'
import type { RetryHost } from './retrying-target.ts'
import { nameOf, type Route } from './wire.ts'

/** Calls that may wait for one dial. */
const MAX_WAITING = 4096
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1000

export interface Dialing {
  readonly clock: Clock
  readonly random: Random
  readonly wheel: DeadlineWheel
  readonly counters: Counters
  readonly defaultTimeoutMs: number
  readonly retry: RetryHost
  /** Dials once and shakes hands; calls one of the two later, or none after the returned undo. */
  dial(url: string, reached: (peer: RpcPeer) => void, failed: (error: Error) => void): () => void
}

/** A call made before its link was there. */
class WaitingCall extends Timed {
  readonly #address: AddressTarget
  readonly send: (target: OutgoingCalls) => void
  readonly fail: (error: unknown) => void
  readonly route: Route
  readonly signal: AbortSignal | undefined

  constructor(
    address: AddressTarget,
    route: Route,
    signal: AbortSignal | undefined,
    send: (target: OutgoingCalls) => void,
    fail: (error: unknown) => void,
  ) {
    super()
    this.#address = address
    this.route = route
    this.signal = signal
    this.send = send
    this.fail = fail
    signal?.addEventListener('abort', this)
  }

  override expire(): void {
    const text = `${nameOf(this.route)}: ${this.#address.url} was not reached in time`
    this.#address.withdraw(this, new RpcError('RPC_TIMEOUT', text))
  }

  handleEvent(): void {
    this.#address.withdraw(this, this.signal?.reason)
  }
}

interface ConnectWaiter {
  readonly resolve: (peer: RpcPeer) => void
  readonly reject: (error: unknown) => void
}

/** One address: one link shared by all callers, dialled when the first of them needs it, and again when it was lost. */
export class AddressTarget implements CallTarget {
  readonly url: string
  /** The address is this node's own: nothing is dialled. */
  local: CallTarget | undefined
  readonly #dialing: Dialing
  readonly #calls = new Set<WaitingCall>()
  readonly #connects = new Set<ConnectWaiter>()
  #peer: RpcPeer | undefined
  #abandon: (() => void) | undefined
  #cancelBackoff: (() => void) | undefined
  #failures = 0
  #retryAt = 0
  #isClosed = false

  constructor(url: string, dialing: Dialing) {
    this.url = url
    this.#dialing = dialing
  }

  get retry(): RetryHost {
    return this.#dialing.retry
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const open = this.local ?? this.#open()
    if (open !== undefined) return open.call(route, entity, args, options)
    const { clock, wheel, defaultTimeoutMs } = this.#dialing
    const signal = options?.signal
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const from = options?.from ?? frameHere() ?? null
    return new Promise((resolve, reject) => {
      const until = Math.min(
        clock.now() + timeoutOf(options, defaultTimeoutMs),
        callHere()?.deadline ?? Infinity,
      )
      this.#wait(
        new WaitingCall(
          this,
          route,
          signal,
          (target) => {
            const timeoutMs = Math.max(1, until - clock.now())
            target.call(route, entity, args, { ...options, timeoutMs, from }).then(resolve, reject)
          },
          reject,
        ),
        until,
        wheel,
      )
    })
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const open = this.local ?? this.#open()
    if (open !== undefined) return open.notify(route, entity, args, unreliable)
    const { clock, counters, defaultTimeoutMs, wheel } = this.#dialing
    if (this.#isClosed || this.#calls.size >= MAX_WAITING) {
      counters.droppedNotifies += 1
      return false
    }
    const drop = (): void => void (counters.droppedNotifies += 1)
    const send = (target: OutgoingCalls): void => {
      try {
        target.notify(route, entity, args, unreliable)
      } catch {
        drop()
      }
    }
    const waiting = new WaitingCall(this, route, undefined, send, drop)
    this.#wait(waiting, clock.now() + defaultTimeoutMs, wheel)
    return true
  }

  /** The open peer, or the one that is being dialled; dials at once, whatever failed before. */
  connect(signal: AbortSignal | undefined): Promise<RpcPeer> {
    if (this.#isClosed) return Promise.reject(this.#closedError())
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    if (this.#peer?.isOpen) return Promise.resolve(this.#peer)
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#connects.delete(waiter)
        this.#abandonIfUnwanted()
        reject(signal?.reason as Error)
      }
      const waiter: ConnectWaiter = {
        resolve: (peer) => {
          signal?.removeEventListener('abort', stop)
          resolve(peer)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', stop)
          reject(error as Error)
        },
      }
      signal?.addEventListener('abort', stop)
      this.#connects.add(waiter)
      this.#dial()
    })
  }

  withdraw(call: WaitingCall, reason: unknown): void {
    if (!this.#release(call)) return
    this.#abandonIfUnwanted()
    call.fail(reason)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelBackoff?.()
    this.#abandon?.()
    this.#failAll(this.#closedError())
    this.#peer?.close(CLOSE.goingAway, 'the node is stopping')
  }

  #open(): OutgoingCalls | undefined {
    return this.#peer?.isOpen ? targetOf(this.#peer) : undefined
  }

  #wait(call: WaitingCall, until: number, wheel: DeadlineWheel): void {
    if (this.#isClosed || this.#calls.size >= MAX_WAITING) {
      const text = `${nameOf(call.route)}: ${this.#calls.size} calls wait for ${this.url}`
      call.signal?.removeEventListener('abort', call)
      call.fail(this.#isClosed ? this.#closedError() : new RpcError('RPC_OVERLOADED', text))
      return
    }
    this.#calls.add(call)
    wheel.add(call, until)
    this.#dialWhenDue()
  }

  #release(call: WaitingCall): boolean {
    if (!this.#calls.delete(call)) return false
    this.#dialing.wheel.remove(call)
    call.signal?.removeEventListener('abort', call)
    return true
  }

  #dialWhenDue(): void {
    if (this.#abandon !== undefined || this.#cancelBackoff !== undefined) return
    const wait = this.#retryAt - this.#dialing.clock.now()
    if (wait <= 0) {
      this.#dial()
      return
    }
    this.#cancelBackoff = this.#dialing.clock.setTimer(wait, () => {
      this.#cancelBackoff = undefined
      if (this.#calls.size > 0) this.#dial()
    })
  }

  #dial(): void {
    if (this.#abandon !== undefined) return
    this.#cancelBackoff?.()
    this.#cancelBackoff = undefined
    this.#abandon = this.#dialing.dial(
      this.url,
      (peer) => this.#connected(peer),
      (error) => this.#failed(error),
    )
  }

  #connected(peer: RpcPeer): void {
    this.#abandon = undefined
    this.#failures = 0
    this.#retryAt = 0
    this.#peer = peer
    peer.on('closed', () => {
      if (this.#peer === peer) this.#peer = undefined
    })
    // In the order they were made, before anything newer can be called.
    for (const call of [...this.#calls]) {
      if (this.#release(call)) call.send(targetOf(peer))
    }
    const connects = [...this.#connects]
    this.#connects.clear()
    for (const waiter of connects) waiter.resolve(peer)
  }

  #failed(error: Error): void {
    this.#abandon = undefined
    const [byte = 0] = this.#dialing.random(1)
    const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 16)
    this.#retryAt = this.#dialing.clock.now() + backoff * (0.5 + byte / 512)
    this.#failAll(error)
  }

  #failAll(error: Error): void {
    const calls = [...this.#calls]
    const connects = [...this.#connects]
    this.#connects.clear()
    for (const call of calls) if (this.#release(call)) call.fail(error)
    for (const waiter of connects) waiter.reject(error)
  }

  #abandonIfUnwanted(): void {
    if (this.#calls.size > 0 || this.#connects.size > 0) return
    this.#abandon?.()
    this.#abandon = undefined
  }

  #closedError(): RpcError {
    return new RpcError('RPC_CLOSED', `the node is closed: ${this.url} is not dialled`)
  }
}
