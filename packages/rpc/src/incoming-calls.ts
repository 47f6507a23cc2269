import type { ByteReader } from './byte-reader.ts'
import { CallFinder, refusal, type Found, type IncomingRoute } from './call-finder.ts'
import { NO_CHAIN } from './chain.ts'
import { decodeExtras } from './extras.ts'
import type { BodyDecoder } from './codec.ts'
import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import { IncomingCall, type CallTopic } from './incoming-call.ts'
import type { Link } from './link.ts'
import { MailboxTurns } from './mailbox-turns.ts'
import { OutgoingStreams } from './outgoing-streams.ts'
import type { Passing } from './passing.ts'
import type { RpcPeer } from './peer.ts'
import type { Exposed, PeerHost } from './peer-host.ts'
import { Replies } from './replies.ts'
import { promiseIn, runHandler } from './run-handler.ts'
import { checkArguments, type ArgumentsSchema } from './standard-schema.ts'
import { isStream } from './stream-source.ts'
import { FLAG, MAX_NAME_BYTES, MAX_TRAIL_NAME_BYTES, NOTIFY_ID } from './wire.ts'

/** The serving half of a peer: checks what a frame calls, runs it, answers. */
export class IncomingCalls {
  readonly #peer: RpcPeer
  readonly #host: PeerHost
  readonly #decoder: BodyDecoder
  readonly #maxRunning: number
  readonly #finder: CallFinder
  readonly #turns: MailboxTurns
  readonly #replies: Replies
  readonly #streams: OutgoingStreams
  readonly #running = new Map<number, IncomingCall>()
  readonly #passing: Passing | undefined
  #runningCount = 0

  constructor(
    peer: RpcPeer,
    host: PeerHost,
    link: Link,
    decoder: BodyDecoder,
    maxMessageBytes: number,
    passing: Passing | undefined,
  ) {
    this.#passing = passing
    const { caller } = peer
    this.#peer = peer
    this.#host = host
    this.#decoder = decoder
    this.#finder = new CallFinder(host, caller)
    this.#replies = new Replies(host, link, caller, maxMessageBytes, passing)
    this.#streams = new OutgoingStreams(host, link, caller, maxMessageBytes, passing)
    this.#maxRunning = caller === 'player' ? host.maxRunningPerPlayer : host.maxRunningPerServer
    this.#turns = new MailboxTurns(host, {
      begin: (call) => this.#count(call),
      withdrawn: (call) => {
        call.dropStreams()
        this.#uncount(call)
      },
      refuse: (call, error) => {
        call.dropStreams()
        this.#replies.refuse(call.id, error)
      },
      run: (call, found, args) => {
        if (this.#askHook(call.id, found.topic)) this.#dispatch(call, found, args)
        else this.#over(call)
      },
      pass: (call) => this.#over(call),
    })
  }

  /** Services of this link alone. */
  get services(): Map<string, Exposed> {
    return this.#finder.services
  }

  /** @returns Whether the announcement was in order. */
  onRoute(reader: ByteReader): boolean {
    return this.#finder.onRoute(reader)
  }

  /** @returns Whether the frame was well-formed; arguments that are not are answered. */
  onCall(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const timeoutMs = reader.varint()
    if (id === NOTIFY_ID) return false
    this.#host.counters.callsReceived += 1
    const deadline = timeoutMs === 0 ? undefined : Math.ceil(this.#host.turn.now() + timeoutMs)
    return this.#receive(id, deadline, flags, reader)
  }

  /** @returns Whether the frame was well-formed. */
  onNotify(flags: number, reader: ByteReader): boolean {
    this.#host.counters.notifiesReceived += 1
    return this.#receive(NOTIFY_ID, undefined, flags, reader)
  }

  onCancel(id: number): void {
    const reason = new RpcError('RPC_CLOSED', 'the caller cancelled the call')
    this.#streams.stop(id, reason)
    const call = this.#running.get(id)
    if (call !== undefined && !this.#turns.withdraw(call)) call.end(reason)
  }

  /** @returns Whether a peer may send this, and the frame was well-formed. */
  onProbe(reader: ByteReader): boolean {
    const id = reader.u32()
    const origin = reader.u32() + reader.u32() * 2 ** 32
    const round = reader.u32()
    const hops = reader.u8()
    const names = reader.u8()
    const trail = Array.from({ length: names }, () => reader.string(MAX_TRAIL_NAME_BYTES))
    if (!reader.isDone || this.#peer.caller !== 'server') return false
    const call = this.#running.get(id)
    if (call !== undefined) this.#host.deadlocks.onProbe({ origin, round, hops, trail }, call)
    return true
  }

  /** @returns Whether the frame was well-formed. */
  onCredit(reader: ByteReader): boolean {
    const id = reader.u32()
    const items = reader.varint()
    const bytes = reader.varint()
    if (!reader.isDone) return false
    this.#streams.grant(id, items, bytes)
    return true
  }

  onDrain(): void {
    this.#streams.onDrain()
  }

  /** The link is gone: handlers are told, their answers are dropped. */
  close(why: string): void {
    this.#replies.isClosed = true
    const reason = new RpcError('RPC_CLOSED', `the caller is gone: ${why}`)
    for (const call of this.#running.values()) if (!this.#turns.withdraw(call)) call.end(reason)
    this.#running.clear()
    this.#streams.close(reason)
  }

  #receive(id: number, deadline: number | undefined, flags: number, reader: ByteReader): boolean {
    const route = this.#finder.readRoute(flags, reader)
    const entityId = (flags & FLAG.entity) !== 0 ? reader.string(MAX_NAME_BYTES) : undefined
    const extras = (flags & FLAG.extras) !== 0 ? reader.raw(reader.varint()) : undefined
    if (reader.bad || route === undefined) return false
    const found = this.#admit(route, entityId)
    if (found instanceof RpcError) {
      this.#replies.refuse(id, found)
      return true
    }
    const { bytes, at, end } = reader
    if (!this.#askHook(id, found.topic)) return true
    let args: unknown[] | undefined
    try {
      args = this.#decoder.decode(bytes, at, end) as unknown[]
    } catch (error) {
      this.#host.counters.refusedMalformed += 1
      this.#replies.refuse(id, new RpcError('RPC_BAD_ARGUMENTS', (error as Error).message))
      return true
    }
    const streams = this.#passing?.takeStreams()
    if (!Array.isArray(args)) return false
    const { schema } = found.method
    if (schema !== undefined && this.#peer.caller !== 'server') {
      args = this.#validated(id, found.topic, schema, args)
      if (args === undefined) {
        for (const stream of streams ?? []) stream.drop()
        return true
      }
    }
    // Only servers say truly who waits for whom, and what comes first.
    const said =
      extras === undefined || this.#peer.caller !== 'server' ? undefined : decodeExtras(extras)
    const chain = said?.chain ?? NO_CHAIN
    const call = new IncomingCall(this.#peer, this.#host, id, deadline, chain, found.topic)
    if (said !== undefined) {
      call.priority = said.priority
      call.trace = said.trace
    }
    call.streams = streams
    if (this.#turns.enter(call, found, args)) this.#dispatch(call, found, args)
    return true
  }

  #admit(route: IncomingRoute, entityId: string | undefined): Found | RpcError {
    const found = this.#finder.find(route, entityId)
    if (found instanceof RpcError) return found
    if (this.#runningCount + this.#streams.size >= this.#maxRunning) {
      this.#host.counters.refusedOverloaded += 1
      return refusal('RPC_OVERLOADED', route, `${this.#runningCount} calls are running`)
    }
    if (this.#host.isDraining) {
      this.#host.counters.refusedOverloaded += 1
      return refusal('RPC_CLOSED', route, 'the node is stopping')
    }
    return found
  }

  /** @returns The arguments as the schema gives them; `undefined` when the call has been refused. */
  #validated(
    id: number,
    topic: CallTopic,
    schema: ArgumentsSchema,
    args: unknown[],
  ): unknown[] | undefined {
    try {
      const checked = checkArguments(schema, args)
      if ('args' in checked) return checked.args
      const { issues } = checked
      this.#host.counters.refusedMalformed += 1
      const { code, message } = refusal('RPC_BAD_ARGUMENTS', topic, issues[0]?.message ?? 'refused')
      this.#replies.refuse(id, new RpcError(code, message, { data: { issues } }))
    } catch (error) {
      this.#host.logger.warn('rpc schema failed', { method: topic.method, error })
      this.#replies.refuse(id, refusal('RPC_BAD_ARGUMENTS', topic, 'they cannot be checked'))
    }
    return undefined
  }

  /** @returns Whether the call may go on; otherwise it has been refused. */
  #askHook(id: number, { service, method, entityId }: CallTopic): boolean {
    const { beforeDispatch } = this.#host
    if (beforeDispatch === undefined) return true
    const isNotify = id === NOTIFY_ID
    const peer = this.#peer
    try {
      beforeDispatch({ peer, caller: peer.caller, service, entityId, method, isNotify })
      return true
    } catch (error) {
      this.#host.counters.refusedByHook += 1
      const { code, message, data } = errorReply(error, peer.caller)
      this.#replies.refuse(id, new RpcError(code, message, { data }))
      return false
    }
  }

  #dispatch(call: IncomingCall, found: Found, args: readonly unknown[]): void {
    let result: unknown
    let promise: Promise<unknown> | undefined
    try {
      result = runHandler(call, found, args, this.#host.aroundHandler)
      promise = promiseIn(found.method, result)
    } catch (error) {
      this.#fail(call, found, error)
      return
    }
    if (promise === undefined) {
      this.#answer(call, found, result)
      return
    }
    this.#count(call)
    promise.then(
      (value) => this.#answer(call, found, value),
      (error: unknown) => this.#fail(call, found, error),
    )
  }

  #answer(call: IncomingCall, { method }: Found, result: unknown): void {
    call.finish()
    if (!isStream(result)) this.#replies.answer(call.id, method.name, result)
    else if (call.id !== NOTIFY_ID && !this.#replies.isClosed) {
      this.#streams.open(call, method, result)
    }
    this.#over(call)
  }

  #fail(call: IncomingCall, { method }: Found, error: unknown): void {
    call.finish()
    this.#replies.fail(call.id, method.name, error, call.hasBegun ? 'yes' : 'no')
    this.#over(call)
  }

  /** From here on it is an unfinished call. */
  #count(call: IncomingCall): void {
    if (call.isCounted) return
    call.isCounted = true
    this.#runningCount += 1
    this.#host.counters.runningCalls += 1
    // A notification has no id to be cancelled by; a second one of the same id replaces the first here.
    if (call.id !== NOTIFY_ID) this.#running.set(call.id, call)
  }

  #uncount(call: IncomingCall): void {
    if (!call.isCounted) return
    call.isCounted = false
    this.#runningCount -= 1
    this.#host.counters.runningCalls -= 1
    if (this.#running.get(call.id) === call) this.#running.delete(call.id)
  }

  /** The call is answered: the next one in its mailbox may run. */
  #over(call: IncomingCall): void {
    call.finish()
    this.#uncount(call)
    if (call.streams !== undefined && !this.#streams.isOpen(call)) call.dropStreams()
    call.mailbox?.leave(call)
  }
}
