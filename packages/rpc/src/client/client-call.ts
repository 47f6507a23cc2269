import type { CallContext } from '../call-context.ts'
import { NO_CHAIN, type Chain } from '../chain.ts'
import type { Clock } from '../clock.ts'
import type { Asked } from '../deadlock-watch.ts'
import { RpcError } from '../errors.ts'
import type { CallFrame } from '../incoming-call.ts'
import type { RpcPeer } from '../peer.ts'

const NOBODY: Set<Asked> = new Set()

/** One call from a server that is handled here: what `currentCall()` returns. */
export class ClientCall implements CallContext, CallFrame {
  readonly caller = 'server'
  /** Servers believe no player who waits for whom. */
  readonly chainOn: Chain = NO_CHAIN
  readonly asked: Set<Asked> = NOBODY
  isUnfollowed = false
  readonly priority = 0
  declare readonly trace: undefined
  declare readonly traceId: undefined
  readonly peer: RpcPeer
  readonly id: number
  readonly deadline: number | undefined
  readonly #clock: Clock
  #controller: AbortController | undefined
  #ended: Error | undefined
  #isFinished = false
  #cancelTimer: (() => void) | undefined
  /** Runs it when its turn has come. */
  run: () => void = () => {}
  /** While it waits in a queue: takes it out. */
  withdraw: (() => void) | undefined

  constructor(peer: RpcPeer, clock: Clock, id: number, deadline: number | undefined) {
    this.peer = peer
    this.#clock = clock
    this.id = id
    this.deadline = deadline
  }

  get nodeId(): string {
    return this.peer.nodeId
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ended !== undefined) this.#controller.abort(this.#ended)
      else if (this.deadline !== undefined && !this.#isFinished) {
        this.expireAt(this.deadline, () =>
          this.end(new RpcError('RPC_TIMEOUT', 'the deadline of the call has passed')),
        )
      }
    }
    return this.#controller.signal
  }

  expireAt(time: number, expire: () => void): void {
    this.#cancelTimer = this.#clock.setTimer(time - this.#clock.now(), expire)
  }

  /** Nobody waits for the answer any more. */
  end(reason: Error): void {
    this.#ended ??= reason
    this.stopTimer()
    this.#controller?.abort(this.#ended)
  }

  /** The handler is over. */
  finish(): void {
    this.#isFinished = true
    this.stopTimer()
  }

  stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
