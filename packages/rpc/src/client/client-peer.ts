import { ByteReader } from '../byte-reader.ts'
import type { CallTarget } from '../call-target.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import { exposeIn } from '../expose-in.ts'
import type { Link } from '../link.ts'
import type { RpcPeer } from '../peer.ts'
import { serviceRemote } from '../remote.ts'
import type { Ctor, Remote, RpcTable } from '../remote-types.ts'
import { KIND, KIND_MASK } from '../wire.ts'
import type { ClientCalls } from './client-calls.ts'
import { ClientHandlers } from './client-handlers.ts'
import { withQueue, type ClientHost } from './client-host.ts'
import { FrameOutput, u32Of } from './frame-output.ts'

/** What is known of a link that a server is at the other end of. */
export interface ClientPeerFacts {
  readonly name: string
  readonly maxReceiveBytes: number
  readonly maxSendBytes: number
}

/** The server at the other end of one link, as {@link RpcPeer} is for nodes. */
export class ClientPeer implements CallTarget {
  readonly nodeId: string
  readonly role = ''
  readonly caller = 'server'
  readonly url: string
  readonly #calls: ClientCalls
  readonly #handlers: ClientHandlers
  readonly #host: ClientHost
  readonly #link: Link
  readonly #output: FrameOutput
  readonly #maxReceiveBytes: number
  readonly #reader = new ByteReader()
  readonly #closedListeners = new Set<(code: number, reason: string) => void>()
  /** Servers measure; a client has its session for that. */
  readonly rttMs = undefined
  isOpen = true
  #isEnded = false

  constructor(host: ClientHost, link: Link, calls: ClientCalls, facts: ClientPeerFacts) {
    this.nodeId = facts.name
    this.url = link.remote
    this.#host = host
    this.#link = link
    this.#maxReceiveBytes = facts.maxReceiveBytes
    const output = (this.#output = new FrameOutput(link, facts.maxSendBytes))
    this.#calls = calls
    calls.bind(output)
    this.#handlers = new ClientHandlers(this as unknown as RpcPeer, host, output)
    host.counters.peers += 1
    link.onMessage = (message) => this.#receive(message)
    link.onDrain = () => {
      output.isCongested = false
      this.#handlers.onDrain()
    }
    link.onClose = (code, reason) => this.#ended(code, reason)
  }

  service<C extends Ctor>(name: string): Remote<C, 'server'> {
    return serviceRemote(this, name) as Remote<C, 'server'>
  }

  entity(): never {
    throw new RpcError('RPC_FORBIDDEN', 'entities are not open to a player')
  }

  expose<T extends object>(name: string, target: T, table?: RpcTable<T>): () => void {
    return exposeIn(this.#handlers.services, name, target, table, withQueue)
  }

  openVirtualLink(): never {
    throw new RpcError('RPC_FORBIDDEN', 'virtual links are for servers')
  }

  /** As of its destination, as long as this link is open. */
  call(...args: Parameters<CallTarget['call']>): Promise<unknown> {
    if (this.isOpen) return this.#calls.call(...args)
    return Promise.reject(new RpcError('RPC_CLOSED', `the link to ${this.nodeId} is closed`))
  }

  notify(...args: Parameters<CallTarget['notify']>): boolean {
    return this.isOpen && this.#calls.notify(...args)
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.isOpen) return
    this.#stop(`closed here: ${reason || code}`)
    this.#link.close(code, reason)
  }

  on(_: 'closed', listener: (code: number, reason: string) => void): () => void {
    this.#closedListeners.add(listener)
    return () => void this.#closedListeners.delete(listener)
  }

  #receive(message: Uint8Array): void {
    if (!this.isOpen) return
    const kind = message[0]! & KIND_MASK
    if (message.length > this.#maxReceiveBytes)
      this.#violation(CLOSE.tooLarge, `a message of ${message.length} bytes`)
    else if (!this.#handle(kind, message[0]! & ~KIND_MASK, this.#reader.reset(message, 1)))
      this.#violation(CLOSE.protocol, `a malformed frame of kind ${kind}`)
  }

  /** @returns Whether the frame was well-formed. */
  #handle(kind: number, flags: number, reader: ByteReader): boolean {
    switch (kind) {
      case KIND.call:
      case KIND.notify:
        return this.#handlers.onCall(kind, flags, reader)
      case KIND.route:
        return this.#handlers.onRoute(reader)
      case KIND.credit:
        return this.#handlers.onCredit(reader)
      case KIND.reply:
      case KIND.error:
      case KIND.stream:
      case KIND.item:
      case KIND.end:
        return this.#calls.onFrame(kind, flags, reader)
      case KIND.cancel:
      case KIND.ping: {
        const id = reader.u32()
        if (kind === KIND.cancel) this.#handlers.onCancel(id)
        else this.#output.send(KIND.pong, u32Of(id))
        return !reader.bad
      }
      // Virtual links, probes and pongs are for who may ask for them: no correct server sends them here.
      default:
        return false
    }
  }

  #violation(code: number, reason: string): void {
    this.#host.counters.protocolErrors += 1
    this.#host.logger.warn('rpc link closed', { peer: this.nodeId, url: this.url, reason })
    this.close(code, reason)
  }

  #stop(why: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#calls.unbind(why)
    this.#handlers.close(why)
  }

  #ended(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#stop(`the link closed: ${reason || code}`)
    this.#host.counters.peers -= 1
    for (const listener of this.#closedListeners) listener(code, reason)
    this.#closedListeners.clear()
  }
}
