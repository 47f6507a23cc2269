import type { CallContext } from './call-context.ts'
import { extend, NO_CHAIN, type Chain } from './chain.ts'
import type { Asked, Probe } from './deadlock-watch.ts'
import { Timed } from './deadline-wheel.ts'
import { RpcError } from './errors.ts'
import type { MailboxCall, Turns } from './mailbox.ts'
import type { ArgumentStream } from './passing.ts'
import type { RpcPeer } from './peer.ts'
import type { PeerHost } from './peer-host.ts'
import type { CallerKind } from './remote-types.ts'

/** A handler as the calls it makes see it. */
export interface CallFrame {
  /** What those calls carry. */
  readonly chainOn: Chain
  /** Those of them that wait for their answers. */
  readonly asked: Set<Asked>
  /** Nothing follows it over its awaits: it is not expected to have any. */
  isUnfollowed: boolean
}

/** What a call is for. */
export interface CallTopic {
  readonly service: string
  readonly method: string
  readonly entityId: string | undefined
}

/** What a call does while it waits in a mailbox. */
export interface Waiting {
  run(): void
  /** Its time is nearly up, and it has not begun. */
  expire(): void
}

/** One call being handled: what `currentCall()` returns. */
export class IncomingCall extends Timed implements CallContext, CallFrame, MailboxCall {
  readonly peer: RpcPeer
  readonly #host: PeerHost
  readonly id: number
  readonly #deadline: number | undefined
  readonly chain: Chain
  /** The one it runs or waits in. */
  mailbox: Turns<IncomingCall> | undefined
  waiting: Waiting | undefined
  /** Larger goes first where calls wait. */
  priority = 0
  /** The trace it belongs to, as the calling server said. */
  trace: string | undefined
  /** The last probe that went through it. */
  probedBy: Probe | undefined
  readonly #topic: CallTopic
  #frameId = 0
  #asked: Set<Asked> | undefined
  /** Its handler has been entered, and not only interceptors before it. */
  hasBegun = true
  /** Among its arguments. */
  streams: readonly ArgumentStream[] | undefined
  isUnfollowed = false
  /** It counts as unfinished. */
  isCounted = false
  #controller: AbortController | undefined
  #ended: Error | undefined
  #isFinished = false

  constructor(
    peer: RpcPeer,
    host: PeerHost,
    id: number,
    deadline: number | undefined,
    chain: Chain,
    topic: CallTopic,
  ) {
    super()
    this.peer = peer
    this.#host = host
    this.id = id
    this.#deadline = deadline
    this.chain = chain
    this.#topic = topic
  }

  /** Given when somebody asks. */
  get frameId(): number {
    if (this.#frameId === 0) this.#frameId = this.#host.frames.next()
    return this.#frameId
  }

  /** Calls that it makes have somebody to name. */
  get isInChain(): boolean {
    return this.mailbox !== undefined || this.chain.length > 0
  }

  get deadline(): number | undefined {
    return this.#deadline
  }

  get caller(): CallerKind {
    return this.peer.caller
  }

  get nodeId(): string {
    return this.peer.nodeId
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ended !== undefined) this.#controller.abort(this.#ended)
      else if (this.deadline !== undefined && !this.#isFinished && this.slot < 0) {
        this.#host.wheel.add(this, this.deadline)
      }
    }
    return this.#controller.signal
  }

  get topic(): CallTopic {
    return this.#topic
  }

  get traceId(): string | undefined {
    return /^[\da-f]{2}-([\da-f]{32})-/.exec(this.trace ?? '')?.[1]
  }

  get chainOn(): Chain {
    if (this.#isFinished) return NO_CHAIN
    return this.mailbox === undefined ? this.chain : extend(this.chain, this.frameId)
  }

  get asked(): Set<Asked> {
    return (this.#asked ??= new Set())
  }

  describe(): string {
    const { service, method, entityId } = this.#topic
    return `${entityId ?? service}.${method} at ${this.#host.name}`
  }

  /** It waits for its turn, at most until then. */
  wait(waiting: Waiting, startBy: number | undefined): void {
    this.waiting = waiting
    if (startBy !== undefined) this.#host.wheel.add(this, startBy)
  }

  run(): void {
    const { waiting } = this
    this.waiting = undefined
    this.#host.wheel.remove(this)
    waiting?.run()
  }

  override expire(): void {
    if (this.waiting !== undefined) this.waiting.expire()
    else this.end(new RpcError('RPC_TIMEOUT', 'the deadline of the call has passed'))
  }

  /** Nobody waits for the answer any more. */
  end(reason: Error): void {
    this.#ended ??= reason
    this.#host.wheel.remove(this)
    this.#controller?.abort(this.#ended)
  }

  /** Nobody reads the streams among its arguments that are not being read by now. */
  dropStreams(): void {
    if (this.streams === undefined) return
    for (const stream of this.streams) stream.drop()
    this.streams = undefined
  }

  /** The handler is over. */
  finish(): void {
    this.#isFinished = true
    this.#host.wheel.remove(this)
  }
}
