import type { ByteReader } from './byte-reader.ts'
import { putU32 } from './byte-writer.ts'
import { CLOSE } from './close-codes.ts'
import type { BodyDecoder } from './codec.ts'
import { RpcError } from './errors.ts'
import type { Link } from './link.ts'
import type { RpcPeer } from './peer.ts'
import type { PeerHost } from './peer-host.ts'
import { encodeOpen } from './body-frames.ts'
import { encodeClose, FLAG, KIND } from './wire.ts'

const HEADER_BYTES = 5
const MAX_REASON_BYTES = 256
/** Virtual links the other end may have open at once. */
const MAX_OPEN = 65_536
/** What one virtual link may add to a carrying link that does not drain. */
const MAX_BUFFERED_BYTES = 1024 * 1024

/** The virtual links inside one server link. Each end numbers the ones it opens. */
export class VirtualLinks {
  readonly #peer: RpcPeer
  readonly #host: PeerHost
  readonly #carrier: Link
  readonly #decoder: BodyDecoder
  readonly #maxMessageBytes: number
  readonly #mine = new Map<number, VirtualLink>()
  readonly #theirs = new Map<number, VirtualLink>()
  /** Those that sent while the carrier was congested, in the order they did. */
  readonly #waiting = new Set<VirtualLink>()
  #lastId = 0
  #congested = false
  #scratch = new Uint8Array(1024)

  constructor(
    peer: RpcPeer,
    host: PeerHost,
    carrier: Link,
    decoder: BodyDecoder,
    maxMessageBytes: number,
  ) {
    this.#peer = peer
    this.#host = host
    this.#carrier = carrier
    this.#decoder = decoder
    this.#maxMessageBytes = maxMessageBytes
  }

  get isCongested(): boolean {
    return this.#congested
  }

  open(meta: unknown): Link {
    if (!this.#peer.isOpen)
      throw new RpcError('RPC_CLOSED', `the link to ${this.#peer.url} is closed`)
    if (this.#peer.caller !== 'server') {
      const text = `virtual links need a server at the other end, ${this.#peer.url} is a ${this.#peer.caller}`
      throw new RpcError('RPC_FORBIDDEN', text)
    }
    let id = this.#lastId
    do id = id === 0xffffffff ? 1 : id + 1
    while (this.#mine.has(id))
    this.#lastId = id
    this.transmit(encodeOpen(id, meta))
    return this.#add(id, true)
  }

  /** @returns Whether the frame was in order. */
  onOpen(reader: ByteReader): boolean {
    const id = reader.u32()
    if (reader.bad || this.#theirs.has(id)) return false
    const handler = this.#host.virtualLinkHandler
    if (this.#peer.caller !== 'server' || handler === undefined || this.#theirs.size >= MAX_OPEN) {
      this.#host.counters.refusedForbidden += 1
      this.transmit(encodeClose(FLAG.yours, id, CLOSE.refused, 'virtual links are not taken here'))
      return true
    }
    let meta: unknown
    try {
      meta = this.#decoder.decode(reader.bytes, reader.at, reader.end)
    } catch {
      return false
    }
    const link = this.#add(id, false)
    try {
      handler(link, meta, this.#peer)
    } catch (error) {
      const code = (error as { code?: unknown } | undefined)?.code
      this.#host.logger.warn('virtual link handler failed', { error })
      link.close(CLOSE.refused, typeof code === 'string' ? code : 'refused')
    }
    return true
  }

  /** @returns Whether the frame was well-formed. Data for a link that just closed is dropped. */
  onData(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    if (reader.bad) return false
    const link = this.#sideOf(flags).get(id)
    if (link === undefined) return true
    const message = reader.bytes.subarray(reader.at, reader.end)
    if (message.length > link.maxMessageBytes) {
      link.close(CLOSE.tooLarge, `a message of ${message.length} bytes`)
    } else {
      link.onMessage(message, (flags & FLAG.state) !== 0)
    }
    return true
  }

  /** @returns Whether the frame was well-formed. */
  onClose(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const code = reader.u16()
    const reason = reader.string(MAX_REASON_BYTES)
    if (reader.bad) return false
    const link = this.#sideOf(flags).get(id)
    if (link === undefined) return true
    this.#remove(link)
    link.end(code, reason)
    return true
  }

  onDrain(): void {
    this.#congested = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const link of waiting) link.drained()
  }

  /** The carrier is gone. */
  closeAll(code: number, reason: string): void {
    const links = [...this.#mine.values(), ...this.#theirs.values()]
    for (const link of links) this.#remove(link)
    for (const link of links) link.end(code, reason)
  }

  /** For a link's own use: sends a whole frame on the carrier. */
  transmit(frame: Uint8Array): boolean {
    const ok = this.#carrier.send(frame)
    if (!ok) this.#congested = true
    return ok
  }

  sendData(link: VirtualLink, message: Uint8Array, flags: number): boolean {
    const size = HEADER_BYTES + message.length
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(size * 2)
    const out = this.#scratch
    out[0] = KIND.data | flags | (link.isMine ? 0 : FLAG.yours)
    putU32(out, 1, link.id)
    out.set(message, HEADER_BYTES)
    const ok = this.transmit(out.subarray(0, size))
    if (!ok) this.#waiting.add(link)
    return ok
  }

  closeByUs(link: VirtualLink, code: number, reason: string): void {
    if (!this.#remove(link)) return
    const flags = link.isMine ? 0 : FLAG.yours
    this.transmit(encodeClose(flags, link.id, code, reason.slice(0, MAX_REASON_BYTES / 4)))
    this.#host.clock.defer(() => link.end(code, reason))
  }

  #add(id: number, isMine: boolean): VirtualLink {
    const remote = `${this.#peer.url}#${isMine ? 'to' : 'from'}-${id}`
    const link = new VirtualLink(this, id, isMine, remote, this.#maxMessageBytes)
    ;(isMine ? this.#mine : this.#theirs).set(id, link)
    this.#host.counters.virtualLinks += 1
    return link
  }

  #remove(link: VirtualLink): boolean {
    this.#waiting.delete(link)
    link.isOpen = false
    const side = link.isMine ? this.#mine : this.#theirs
    if (!side.delete(link.id)) return false
    this.#host.counters.virtualLinks -= 1
    return true
  }

  #sideOf(flags: number): Map<number, VirtualLink> {
    return (flags & FLAG.yours) !== 0 ? this.#mine : this.#theirs
  }
}

class VirtualLink implements Link {
  readonly #links: VirtualLinks
  readonly id: number
  readonly isMine: boolean
  readonly remote: string
  maxMessageBytes: number
  bufferedBytes = 0
  isOpen = true
  #ended = false
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}

  constructor(
    links: VirtualLinks,
    id: number,
    isMine: boolean,
    remote: string,
    maxMessageBytes: number,
  ) {
    this.#links = links
    this.id = id
    this.isMine = isMine
    this.remote = remote
    this.maxMessageBytes = maxMessageBytes
  }

  send(message: Uint8Array): boolean {
    if (!this.isOpen) return false
    if (this.#links.isCongested) {
      this.bufferedBytes += message.length
      if (this.bufferedBytes > MAX_BUFFERED_BYTES) {
        this.close(CLOSE.slowReader, `${this.bufferedBytes} bytes wait`)
        return false
      }
    }
    return this.#links.sendData(this, message, 0)
  }

  sendUnreliable(message: Uint8Array): boolean {
    if (!this.isOpen) return false
    if (this.#links.isCongested) {
      // State that cannot leave now would be old by the time it could.
      if (this.bufferedBytes + message.length > MAX_BUFFERED_BYTES) return false
      this.bufferedBytes += message.length
    }
    return this.#links.sendData(this, message, FLAG.state)
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    this.#links.closeByUs(this, code, reason)
  }

  drained(): void {
    this.bufferedBytes = 0
    if (this.isOpen) this.onDrain()
  }

  end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.onClose(code, reason)
  }
}
