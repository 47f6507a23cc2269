import { ByteReader } from './byte-reader.ts'
import type { CallTarget } from './call-target.ts'
import { concat } from './byte-writer.ts'
import { CLOSE } from './close-codes.ts'
import { exposeLimited } from './method-gate.ts'
import { IncomingCalls } from './incoming-calls.ts'
import { isInPlace } from './in-place-link.ts'
import type { Link } from './link.ts'
import { OutgoingCalls } from './outgoing-calls.ts'
import type { Passing } from './passing.ts'
import type { PeerHost } from './peer-host.ts'
import { entityRemote, serviceRemote } from './remote.ts'
import type { CallerKind, Ctor, Remote, RpcTable } from './remote-types.ts'
import { VirtualLinks } from './virtual-links.ts'
import { encodeIdFrame, FLAG, KIND, KIND_MASK } from './wire.ts'

/** What is known of the other end when RPC begins on a link. */
export interface PeerFacts {
  readonly nodeId: string
  readonly role: string
  readonly caller: CallerKind
  readonly url: string
  /** This node chose to connect to it. */
  readonly isDialled: boolean
  /** The largest message taken from the other end. */
  readonly maxReceiveBytes: number
  /** The largest message the other end takes. */
  readonly maxSendBytes: number
}

/** What the rest of this package does with a peer and users do not. */
interface PeerInternals {
  make(host: PeerHost, link: Link, facts: PeerFacts): RpcPeer
  target(peer: RpcPeer): OutgoingCalls
  checkLife(peer: RpcPeer, now: number, pingIntervalMs: number, silenceMs: number): void
  forgive(peer: RpcPeer, ms: number): void
}
let internals: PeerInternals

/** Beside the five bytes of a ping. */
const MAX_BEAT_BYTES = 64

// Headers are read to their end before anything else runs.
const reader = new ByteReader()

/** The other end of one link. Calls go both ways. Made by a node: `connect`, `listen`, `attach`. */
export class RpcPeer {
  readonly nodeId: string
  readonly role: string
  /** What the other end has earned: it decides what it may call here. */
  readonly caller: CallerKind
  readonly url: string
  readonly #host: PeerHost
  readonly #link: Link
  readonly #maxReceiveBytes: number
  readonly #outgoing: OutgoingCalls
  readonly #incoming: IncomingCalls
  readonly #virtual: VirtualLinks
  readonly #passing: Passing | undefined
  readonly #closedListeners = new Set<(code: number, reason: string) => void>()
  #isOpen = true
  #isEnded = false
  #lastHeardAt: number
  #pingSentAt: number
  #rttMs: number | undefined

  static {
    internals = {
      make: (host, link, facts) => new RpcPeer(host, link, facts),
      target: (peer) => peer.#outgoing,
      checkLife: (peer, ...times) => peer.#checkLife(...times),
      forgive: (peer, ms) => void (peer.#lastHeardAt += ms),
    }
  }

  private constructor(host: PeerHost, link: Link, facts: PeerFacts) {
    this.nodeId = facts.nodeId
    this.role = facts.role
    this.caller = facts.caller
    this.url = facts.url
    this.#host = host
    this.#link = link
    this.#maxReceiveBytes = facts.maxReceiveBytes
    const { server, dialled, player } = host.decoders
    const plain = facts.caller === 'server' ? server : facts.isDialled ? dialled : player
    const isServer = facts.caller === 'server'
    const { maxSendBytes } = facts
    const outgoing = (): OutgoingCalls => this.#outgoing
    const passing = host.passingFor?.({ peer: this, link, decoder: plain, outgoing, maxSendBytes })
    this.#passing = passing
    const results = passing?.resultDecoder ?? plain
    this.#outgoing = new OutgoingCalls(host, link, results, maxSendBytes, isServer, passing)
    const decoder = passing?.decoder ?? plain
    this.#incoming = new IncomingCalls(this, host, link, decoder, maxSendBytes, passing)
    this.#virtual = new VirtualLinks(this, host, link, decoder, facts.maxReceiveBytes)
    this.#lastHeardAt = host.clock.now()
    this.#pingSentAt = this.#lastHeardAt
    link.onMessage = (message) => this.#receive(message, 0, message.length)
    if (isInPlace(link)) link.onPart = (bytes, start, end) => this.#receive(bytes, start, end)
    link.onDrain = () => this.#drained()
    link.onClose = (code, reason) => this.#ended(code, reason)
    host.counters.peers += 1
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The last measured round trip; `undefined` before the first ping was answered. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /** A service of the other end: of its node, or exposed on this link. */
  service<C extends Ctor, W extends CallerKind = 'server'>(name: string): Remote<C, W> {
    return serviceRemote(this.#target(), name) as Remote<C, W>
  }

  /** An entity served at the other end. */
  entity<C extends Ctor>(id: string): Remote<C, 'server'> {
    return entityRemote(this.#target(), id) as Remote<C, 'server'>
  }

  /**
   * Offers an object on this link alone. Looked up before the node's services of the same name.
   *
   * @param table - Instead of the class's own `static rpc` and those of its components.
   * @returns The undo.
   */
  expose<T extends object>(name: string, target: T, table?: RpcTable<T>): () => void {
    return exposeLimited(this.#incoming.services, name, target, table)
  }

  /**
   * Opens a link of its own inside this one; the other node's `onVirtualLink` handler gets it with `meta`.
   *
   * @throws RpcError `RPC_FORBIDDEN` when the other end is no server, `RPC_CLOSED` when the link is closed.
   */
  openVirtualLink(meta: unknown): Link {
    return this.#virtual.open(meta)
  }

  /** Calls that wait for an answer end at once with `RPC_CLOSED`. Safe to call twice. */
  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.#isOpen) return
    this.#stop(`closed here: ${reason || code}`)
    this.#link.close(code, reason)
  }

  on(event: 'closed', listener: (code: number, reason: string) => void): () => void {
    if (event !== 'closed') throw new TypeError(`RpcPeer has no event "${String(event)}"`)
    this.#closedListeners.add(listener)
    return () => void this.#closedListeners.delete(listener)
  }

  #target(): CallTarget {
    return this.#host.intercept?.(this.#outgoing) ?? this.#outgoing
  }

  #checkLife(now: number, pingIntervalMs: number, silenceMs: number): void {
    if (now - this.#lastHeardAt >= silenceMs) {
      this.#host.counters.unresponsive += 1
      const reason = `nothing heard for ${Math.round(now - this.#lastHeardAt)} ms`
      this.#host.logger.warn('rpc peer unresponsive', { peer: this.nodeId, url: this.url })
      this.close(CLOSE.unresponsive, reason)
    } else if (now - this.#pingSentAt >= pingIntervalMs) {
      this.#pingSentAt = now
      this.#sendBeat(KIND.ping, Math.floor(now) >>> 0)
    }
  }

  #receive(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isOpen) return
    this.#lastHeardAt = this.#host.turn.now()
    if (end - start > this.#maxReceiveBytes) {
      this.#violation(CLOSE.tooLarge, `a message of ${end - start} bytes`)
      return
    }
    const first = start < end ? bytes[start]! : 0
    if (!this.#handle(first & KIND_MASK, first & ~KIND_MASK, reader.reset(bytes, start + 1, end))) {
      this.#violation(CLOSE.protocol, `a malformed frame of kind ${first & KIND_MASK}`)
    }
  }

  /** @returns Whether the frame was well-formed. */
  #handle(kind: number, flags: number, frame: ByteReader): boolean {
    switch (kind) {
      case KIND.call:
        return this.#incoming.onCall(flags, frame)
      case KIND.reply:
        return this.#outgoing.onReply(flags, frame)
      case KIND.notify:
        return this.#incoming.onNotify(flags, frame)
      case KIND.data:
        return this.#virtual.onData(flags, frame)
      case KIND.error:
        return this.#outgoing.onError(flags, frame)
      case KIND.cancel: {
        const id = frame.u32()
        if (frame.bad) return false
        if ((flags & FLAG.up) === 0) this.#incoming.onCancel(id)
        else this.#passing?.onCancel(id)
        return true
      }
      case KIND.route:
        return this.#incoming.onRoute(frame)
      case KIND.ping: {
        const token = frame.u32()
        if (frame.bad) return false
        this.#readBeat(frame)
        this.#sendBeat(KIND.pong, token)
        return true
      }
      case KIND.pong: {
        const token = frame.u32()
        const elapsed = (Math.floor(this.#host.clock.now()) - token) >>> 0
        if (frame.bad) return false
        if (elapsed < 60_000) this.#rttMs = elapsed
        this.#readBeat(frame)
        return true
      }
      case KIND.stream:
        return this.#outgoing.onStream(frame)
      case KIND.item:
        if ((flags & FLAG.up) !== 0) return this.#passing?.onItem(frame) === true
        return this.#outgoing.streams.onItem(frame)
      case KIND.end:
        if ((flags & FLAG.up) !== 0) return this.#passing?.onEnd(flags, frame) === true
        return this.#outgoing.streams.onEnd(flags, frame)
      case KIND.credit:
        if ((flags & FLAG.up) !== 0) return this.#passing?.onCredit(frame) === true
        return this.#incoming.onCredit(frame)
      case KIND.probe:
        return this.#incoming.onProbe(frame)
      case KIND.open:
        return this.#virtual.onOpen(frame)
      case KIND.close:
        return this.#virtual.onClose(flags, frame)
      default:
        return false
    }
  }

  /** A ping or its answer; between servers with what the node has to say. */
  #sendBeat(kind: number, token: number): void {
    const frame = encodeIdFrame(kind, token)
    const bytes = this.caller === 'server' ? this.#host.beat?.write() : undefined
    const fits = bytes !== undefined && bytes.length <= MAX_BEAT_BYTES
    this.#link.send(fits ? concat(frame, bytes) : frame)
  }

  #readBeat(frame: ByteReader): void {
    const bytes = frame.raw(frame.bytes.length - frame.at)
    const { beat, logger } = this.#host
    if (beat === undefined || this.caller !== 'server') return
    if (bytes.length === 0 || bytes.length > MAX_BEAT_BYTES) return
    try {
      beat.read(this, bytes)
    } catch (error) {
      logger.warn('a beat was not read', { peer: this.nodeId, error })
    }
  }

  #drained(): void {
    this.#outgoing.onDrain()
    this.#incoming.onDrain()
    this.#passing?.onDrain()
    this.#virtual.onDrain()
  }

  #violation(code: number, reason: string): void {
    this.#host.counters.protocolErrors += 1
    this.#host.logger.warn('rpc link closed', { peer: this.nodeId, url: this.url, reason })
    this.close(code, reason)
  }

  #stop(why: string): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#outgoing.close(why)
    this.#incoming.close(why)
    this.#passing?.close(why)
  }

  #ended(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#stop(`the link closed: ${reason || code}`)
    this.#host.counters.peers -= 1
    this.#virtual.closeAll(code, reason)
    this.#host.onPeerClosed(this)
    for (const listener of this.#closedListeners) listener(code, reason)
    this.#closedListeners.clear()
  }
}

/** Runs RPC over a link from now on. */
export const makePeer = (host: PeerHost, link: Link, facts: PeerFacts): RpcPeer =>
  internals.make(host, link, facts)

/** Where remotes made elsewhere send their calls to a peer. */
export const targetOf = (peer: RpcPeer): OutgoingCalls => internals.target(peer)

/** Pings a peer when it is time to, closes it when it has been silent too long. */
export function checkLife(
  peer: RpcPeer,
  now: number,
  pingIntervalMs: number,
  silenceMs: number,
): void {
  internals.checkLife(peer, now, pingIntervalMs, silenceMs)
}

/** This process itself stood still for so long: the other end is not to blame for the silence. */
export const forgive = (peer: RpcPeer, ms: number): void => internals.forgive(peer, ms)
