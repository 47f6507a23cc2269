import { AddressTarget } from './address-target.ts'
import { failedEndFrame, makeArgumentSource, type ArgumentOutlet } from './argument-source.ts'
import type { ByteReader } from './byte-reader.ts'
import type { CallTarget, SentOptions } from './call-target.ts'
import type { BodyDecoder } from './codec.ts'
import { encodeFunctionsBy } from './codec.ts'
import type { EntityRef } from './entity-ref.ts'
import { RpcError } from './errors.ts'
import type { Link } from './link.ts'
import { LocalCalls } from './local-calls.ts'
import { LocatedTarget } from './located-target.ts'
import {
  REACH,
  receiveWith,
  registerPassedValues,
  RemoteValue,
  StreamValue,
  type Receiver,
} from './passed-values.ts'
import type { ArgumentStream, Passing, PassingEnd } from './passing.ts'
import { aimOf, entityRemote, memberOf, serviceRemote } from './remote.ts'
import { ReceivedStream } from './received-stream.ts'
import type { RemoteStream } from './remote-stream.ts'
import { isStream, type StreamSource } from './stream-source.ts'
import { encodeCredit, encodeIdFrame, FLAG, KIND, MAX_NAME_BYTES, type Route } from './wire.ts'

/** What a node does for the remotes that are passed over its links. */
export interface PassingNode {
  /** Where other servers reach this node; `undefined` when it listens nowhere. */
  readonly ownUrl: string | undefined
  at(url: string, service: string): object
  entity(ref: EntityRef): object
  service(name: string): object
  isServed(entityId: string): boolean
  /** The same, behind the node's interceptors. */
  intercept(target: CallTarget): CallTarget
}

const MAX_STREAMS = 4096
const MAX_PLAYER_STREAMS = 16
const PLAYER_WINDOW_BYTES = 64 * 1024
const MAX_ERROR_TEXT_BYTES = 64 * 1024

/** A stream among the arguments of a call. */
interface SentStream {
  readonly source: StreamSource
  /** It is over. */
  over(): void
}

/** Passes remotes and streams over one link. Between servers a remote may lead anywhere, else only over the link itself. */
export class LinkPassing implements Passing, Receiver, ArgumentOutlet {
  readonly decoder: BodyDecoder
  readonly resultDecoder: BodyDecoder
  readonly link: Link
  readonly maxSendBytes: number
  readonly #node: PassingNode
  readonly #end: PassingEnd
  readonly #isServer: boolean
  readonly #sources = new Map<number, SentStream>()
  readonly #streams = new Map<number, RemoteStream>()
  #taken: ReceivedStream[] | undefined
  #isEncoding = false
  #isCongested = false
  #isClosed = false

  constructor(node: PassingNode, end: PassingEnd) {
    registerPassedValues()
    this.#node = node
    this.#end = end
    this.link = end.link
    this.maxSendBytes = end.maxSendBytes
    this.#isServer = end.peer.caller === 'server'
    const { decoder } = end
    const remotesOnly: Receiver = {
      remote: (value) => this.remote(value),
      stream: () => {
        throw new RpcError('RPC_PROTOCOL', 'a stream where none is taken')
      },
    }
    this.resultDecoder = {
      decode: (message, start, end) =>
        receiveWith(remotesOnly, () => decoder.decode(message, start, end)),
    }
    this.decoder = {
      decode: (message, start, end) => {
        this.#taken = undefined
        try {
          return receiveWith(this, () => decoder.decode(message, start, end))
        } catch (error) {
          for (const stream of this.takeStreams() ?? []) stream.drop()
          throw error
        }
      },
    }
  }

  takeStreams(): readonly ArgumentStream[] | undefined {
    const taken = this.#taken
    this.#taken = undefined
    return taken
  }

  get isIdle(): boolean {
    return this.#sources.size === 0
  }

  isSending(id: number): boolean {
    return this.#sources.has(id)
  }

  hasWork(args: readonly unknown[]): boolean {
    if (this.#isEncoding) return false
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]
      if (typeof arg === 'function' || isStream(arg)) return true
    }
    return false
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const opened = new Set<number>()
    const signal = options?.signal
    const abort = (): void =>
      this.#breakOff(opened, new RpcError('RPC_CLOSED', 'the caller cancelled the call'))
    const sent = args.map((arg) => {
      if (!isStream(arg)) return arg
      const id = this.#end.outgoing().nextId()
      opened.add(id)
      const over = (): void => {
        opened.delete(id)
        if (opened.size === 0) signal?.removeEventListener('abort', abort)
      }
      // It is there before the call is: what answers that may ask for items at once.
      this.#sources.set(id, { source: makeArgumentSource(id, arg, this), over })
      return new StreamValue(id)
    })
    const answer = this.encode(() => this.#end.outgoing().call(route, entity, sent, options))
    if (opened.size > 0) {
      signal?.addEventListener('abort', abort)
      // Streams end with the call that carries them, when that fails.
      answer.then(undefined, (reason: unknown) => this.#breakOff(opened, reason))
    }
    return answer
  }

  encode<T>(encode: () => T): T {
    const before = this.#isEncoding
    this.#isEncoding = true
    try {
      return encodeFunctionsBy((value) => this.#valueOf(value), encode)
    } finally {
      this.#isEncoding = before
    }
  }

  isReady(): boolean {
    return !this.#isCongested && !this.#isClosed
  }

  transmit(frame: Uint8Array): void {
    if (!this.#isClosed && !this.link.send(frame)) this.#isCongested = true
  }

  ended(id: number): void {
    const sent = this.#sources.get(id)
    this.#sources.delete(id)
    sent?.over()
  }

  onItem(reader: ByteReader): boolean {
    const id = reader.u32()
    if (reader.bad) return false
    const stream = this.#streams.get(id)
    // It crossed the cancel.
    if (stream === undefined) return true
    let value: unknown
    try {
      value = this.resultDecoder.decode(reader.bytes, reader.at, reader.end)
    } catch (cause) {
      this.#cancel(id)
      const reason = new RpcError('RPC_BAD_ARGUMENTS', 'an item cannot be read', { cause })
      stream.end({ reason })
      return true
    }
    return stream.push(value, reader.end - reader.at)
  }

  onEnd(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const hasFailed = (flags & FLAG.failed) !== 0
    const code = hasFailed ? reader.string(MAX_NAME_BYTES) : ''
    const message = hasFailed ? reader.string(MAX_ERROR_TEXT_BYTES) : ''
    if (!reader.isDone) return false
    const reason = new RpcError(code, message, { executed: 'yes' })
    this.#streams.get(id)?.end(hasFailed ? { reason } : undefined)
    return true
  }

  onCredit(reader: ByteReader): boolean {
    const id = reader.u32()
    const items = reader.varint()
    const bytes = reader.varint()
    if (!reader.isDone) return false
    this.#sources.get(id)?.source.grant(items, bytes)
    return true
  }

  onCancel(id: number): void {
    this.#sources.get(id)?.source.stop()
    this.ended(id)
  }

  onDrain(): void {
    this.#isCongested = false
    for (const { source } of this.#sources.values()) source.resume()
  }

  close(why: string): void {
    this.#isClosed = true
    for (const id of this.#sources.keys()) this.onCancel(id)
    for (const stream of this.#streams.values()) {
      stream.end({ reason: new RpcError('RPC_CLOSED', why, { executed: 'maybe' }) })
    }
  }

  /** A remote that arrived, made to work here. @throws RpcError `RPC_FORBIDDEN` when it leads further than it may. */
  remote(value: RemoteValue): object {
    const { reach, service, entityId, path, url, type, root } = value
    if (reach === REACH.sender) {
      const outgoing = this.#node.intercept(this.#end.outgoing())
      const whole =
        service === '' ? entityRemote(outgoing, entityId) : serviceRemote(outgoing, service)
      return memberOf(whole, path)
    }
    if (!this.#isServer) {
      throw new RpcError('RPC_FORBIDDEN', 'a remote that leads beyond the link it came by')
    }
    const node = this.#node
    if (service !== '') {
      return memberOf(
        reach === REACH.receiver ? node.service(service) : node.at(url, service),
        path,
      )
    }
    const ref = {
      id: entityId,
      ...(type !== '' && { type }),
      ...(root !== '' && { root }),
      ...(url !== '' && { url }),
    }
    return memberOf(node.entity(ref), path)
  }

  /** A stream among arguments that arrived. */
  stream(id: number): object {
    const max = this.#isServer ? MAX_STREAMS : MAX_PLAYER_STREAMS
    if (this.#streams.has(id) || this.#streams.size >= max) {
      throw new RpcError('RPC_OVERLOADED', `${this.#streams.size} streams are open`)
    }
    const stream = new ReceivedStream(
      {
        grant: (items, bytes) => this.transmit(upward(encodeCredit(id, items, bytes))),
        cancel: () => this.#cancel(id),
        closed: () => void this.#streams.delete(id),
      },
      this.#isServer ? undefined : PLAYER_WINDOW_BYTES,
    )
    this.#streams.set(id, stream)
    ;(this.#taken ??= []).push(stream)
    return stream
  }

  #cancel(id: number): void {
    this.transmit(encodeIdFrame(KIND.cancel | FLAG.up, id))
  }

  #breakOff(ids: ReadonlySet<number>, reason: unknown): void {
    for (const id of ids) {
      this.onCancel(id)
      this.transmit(failedEndFrame(id, reason))
    }
  }

  /** What stands for a remote on its way. @throws TypeError when the other end could not use it. */
  #valueOf(remote: object): RemoteValue {
    const known = aimOf(remote)
    if (known === undefined) throw new TypeError('functions cannot be sent')
    const { aim, path } = known
    if (aim.notify !== undefined) throw new TypeError('a remote for notifications cannot be sent')
    const { service } = aim
    const of = (reach: number, place: Partial<RemoteValue> = {}): RemoteValue =>
      new RemoteValue({
        reach,
        service,
        entityId: aim.entityId ?? '',
        path,
        url: '',
        type: '',
        root: '',
        ...place,
      })
    let { target } = aim
    while (target.inner !== undefined) target = target.inner
    if (target === this.#end.outgoing()) return of(REACH.receiver)
    const isHere = target instanceof LocalCalls || isLocal(target)
    const isEntity = service === ''
    if (!this.#isServer) {
      if (isHere && !isEntity) return of(REACH.sender)
      throw new TypeError('this remote cannot be reached over the link to a player')
    }
    const { ownUrl } = this.#node
    if (target instanceof LocatedTarget) {
      const { id, type, root, url } = target.ref
      const place = this.#node.isServed(id) ? ownUrl : url
      return of(REACH.cluster, { type: type ?? '', root: root ?? '', url: place ?? '' })
    }
    if (isHere) return ownUrl === undefined ? of(REACH.sender) : of(REACH.cluster, { url: ownUrl })
    if (target instanceof AddressTarget) return of(REACH.cluster, { url: target.url })
    throw new TypeError('a remote of another link cannot be sent: make it by address')
  }
}

const isLocal = (target: CallTarget): boolean =>
  target instanceof AddressTarget && target.local !== undefined

const upward = (frame: Uint8Array): Uint8Array => {
  frame[0] = frame[0]! | FLAG.up
  return frame
}
