import { callHere } from '../call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from '../call-target.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import { SERVER_MESSAGE_BYTES } from '../limits.ts'
import type { Link } from '../link.ts'
import type { RpcPeer } from '../peer.ts'
import { serviceRemote } from '../remote.ts'
import type { Ctor, Remote } from '../remote-types.ts'
import type { Route } from '../wire.ts'
import { nameOf } from './client-calls.ts'
import type { ClientHost } from './client-host.ts'
import { ClientPeer } from './client-peer.ts'

/** Calls that may wait for one link. */
const MAX_WAITING = 4096

export interface DestinationOptions {
  /** While there is no link, calls fail with what this returns. @defaultValue they wait, within their deadlines */
  readonly whenAway?: (() => Error) | undefined
}

export interface AttachClientOptions {
  /** The largest message taken. @defaultValue 16 MiB */
  readonly maxReceiveBytes?: number
  /** The largest message the other end takes; above it a call fails here with `RPC_TOO_LARGE`. @defaultValue 16 MiB */
  readonly maxSendBytes?: number
}

interface WaitingCall {
  send(calls: CallTarget): void
  fail(error: unknown): void
}

/** A server by name. Links to it come and go; its remotes stay, and calls made between two links wait for the next. */
export class Destination implements CallTarget {
  readonly #host: ClientHost
  readonly #name: string
  readonly #whenAway: (() => Error) | undefined
  readonly #waiting = new Set<WaitingCall>()
  #peer: ClientPeer | undefined
  /** Calls need not wait. */
  #isReady = false
  #isClosed = false

  constructor(host: ClientHost, name: string, options: DestinationOptions) {
    this.#host = host
    this.#name = name
    this.#whenAway = options.whenAway
  }

  /** A service of it, as far as it is open to players. */
  service<C extends Ctor>(name: string): Remote<C, 'player'> {
    return serviceRemote(this, name) as Remote<C, 'player'>
  }

  /** There is a link to it now, which RPC runs on; the one before, if it is open, is closed. */
  attach(link: Link, options: AttachClientOptions = {}): RpcPeer {
    this.#peer?.close(CLOSE.goingAway, 'a newer link took over')
    const peer = new ClientPeer(this.#host, link, {
      name: this.#name,
      maxReceiveBytes: options.maxReceiveBytes ?? SERVER_MESSAGE_BYTES,
      maxSendBytes: options.maxSendBytes ?? SERVER_MESSAGE_BYTES,
    })
    this.#peer = peer
    this.#isReady = false
    // After this turn: the next thing that is heard may be that the link is gone again.
    void Promise.resolve().then(() => {
      if (this.#peer !== peer || !peer.isOpen) return
      this.#isReady = true
      // In the order they were made, before anything newer can be called.
      for (const call of this.#waiting) call.send(peer.calls)
    })
    return peer as unknown as RpcPeer
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const open = this.#open
    if (open !== undefined) return open.call(route, entity, args, options)
    const { clock, defaultTimeoutMs } = this.#host
    return new Promise((resolve, reject) => {
      const signal = options?.signal
      signal?.throwIfAborted()
      const untilMs = Math.min(
        clock.now() + timeoutOf(options, defaultTimeoutMs),
        callHere()?.deadline ?? Infinity,
      )
      const abort = (): void => call.fail(signal?.reason)
      const send = (calls: CallTarget): void => {
        const timeoutMs = Math.max(1, untilMs - clock.now())
        calls.call(route, entity, args, { ...options, timeoutMs }).then(resolve, reject)
      }
      const call = this.#wait(
        route,
        untilMs,
        send,
        (error) => reject(error as Error),
        () => signal?.removeEventListener('abort', abort),
      )
      signal?.addEventListener('abort', abort)
    })
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const open = this.#open
    if (open !== undefined) return open.notify(route, entity, args, unreliable)
    const { clock, counters, defaultTimeoutMs } = this.#host
    const drop = (): void => void (counters.droppedNotifies += 1)
    const send = (calls: CallTarget): void => {
      try {
        calls.notify(route, entity, args, unreliable)
      } catch {
        drop()
      }
    }
    try {
      this.#wait(route, clock.now() + defaultTimeoutMs, send, drop, () => {})
      return true
    } catch {
      drop()
      return false
    }
  }

  /** Ends its link, and what waits for one. */
  close(): void {
    this.#isClosed = true
    this.#peer?.close(CLOSE.goingAway, 'the client is closed')
    for (const call of this.#waiting) call.fail(this.#closedError())
  }

  get #open(): CallTarget | undefined {
    return this.#isReady && this.#peer?.isOpen === true ? this.#peer.calls : undefined
  }

  /** @throws what a call fails with that cannot wait. */
  #wait(
    route: Route,
    untilMs: number,
    send: (calls: CallTarget) => void,
    fail: (error: unknown) => void,
    over: () => void,
  ): WaitingCall {
    if (this.#isClosed) throw this.#closedError()
    if (this.#whenAway !== undefined && this.#peer?.isOpen !== true) throw this.#whenAway()
    const { clock } = this.#host
    const name = `${nameOf(route)} at ${this.#name}`
    if (this.#waiting.size >= MAX_WAITING)
      throw new RpcError('RPC_OVERLOADED', `${name}: ${MAX_WAITING} calls wait`)
    const release = (): void => {
      this.#waiting.delete(call)
      cancelTimer()
      over()
    }
    const call: WaitingCall = {
      send: (calls) => {
        release()
        send(calls)
      },
      fail: (error) => {
        release()
        fail(error)
      },
    }
    const cancelTimer = clock.setTimer(Math.max(0, untilMs - clock.now()), () =>
      call.fail(new RpcError('RPC_TIMEOUT', `${name}: it was not reached in time`)),
    )
    this.#waiting.add(call)
    return call
  }

  #closedError(): RpcError {
    return new RpcError('RPC_CLOSED', `${this.#name} is not reached: the client is closed`)
  }
}
