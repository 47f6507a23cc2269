import { IKCP_CMD_PUSH, IKCP_OVERHEAD } from '../../constants.ts'
import type { KcpCounters } from '../counters.ts'
import { MAX_DATAGRAM_BYTES, readU32 } from '../datagram.ts'
import { Endpoint } from '../endpoint.ts'
import { HostCounts } from '../host-counts.ts'
import { openWithin } from '../opening.ts'
import { checkOwner, closeAll, giveTo, rejectAfter } from '../owners.ts'
import { resolveOptions, whole, type KcpSocketOptions } from '../options.ts'
import { RawConversation } from './conversation.ts'
import { envelopeBytes, openEnvelope } from './envelope.ts'
import { checkRaw, type RawOptions } from './options.ts'
import { KcpSession } from '../session.ts'

/** Conversations that are over are not begun anew by what is still on its way for so long. */
const ENDED_MS = 30_000
const MAX_ENDED = 65_536

/** Options of `listenRaw`; what only sessions with a handshake have is not among them. */
export interface KcpRawListenOptions
  extends
    RawOptions,
    Omit<KcpSocketOptions, 'security' | 'keepaliveMs' | 'maxDatagramBytes' | 'maxMessageBytes'> {
  /** @defaultValue '0.0.0.0' */
  readonly host?: string
  /** 0 takes a free one. */
  readonly port: number
  /** Largest message accepted, in bytes. @defaultValue 65536 */
  readonly maxMessageBytes?: number
  /** Lets several processes bind this port. @defaultValue false */
  readonly reusePort?: boolean
  /**
   * Asked for each conversation that begins. Nothing about the peer is proven: anybody can write any address
   * on a datagram.
   */
  readonly allow: (address: string, port: number, conv: number) => boolean
  /** Sessions at one time. @defaultValue 1024 */
  readonly maxSessions?: number
  /** Sessions of one IPv4 address, or of one /64 of IPv6, at one time. @defaultValue 16 */
  readonly maxSessionsPerAddress?: number
}

/**
 * Binds a UDP port for plain KCP peers, which know no handshake: the C original, kcp-go without a cipher.
 * Use it on networks you trust. A conversation begins with a first segment, and ends by silence.
 *
 * @throws KcpError `KCP_LISTEN_FAILED` when the port cannot be had.
 * @throws RangeError when an option is out of range.
 */
export async function listenRaw(
  options: KcpRawListenOptions,
  onSession: (session: KcpSession) => void,
): Promise<KcpRawListener> {
  checkOwner(onSession)
  const resolved = resolveOptions(options)
  checkRaw(options)
  if (typeof options.allow !== 'function')
    throw new TypeError('allow must be a function, as plain peers prove nothing')
  const limits = {
    maxSessions: options.maxSessions ?? 1024,
    maxSessionsPerAddress: options.maxSessionsPerAddress ?? 16,
  }
  whole(limits, 'maxSessions', 0, 2 ** 31)
  whole(limits, 'maxSessionsPerAddress', 0, 2 ** 31)
  const { host = '0.0.0.0', port, reusePort = false } = options
  const socket = await openWithin(resolved, { bind: { host, port }, reusePort })
  return new KcpRawListener(new Endpoint(socket, resolved), { ...options, ...limits }, onSession)
}

/** A bound port for plain peers, and its sessions. */
export class KcpRawListener implements AsyncDisposable {
  readonly #endpoint: Endpoint
  readonly #options: Required<Pick<KcpRawListenOptions, 'maxSessions' | 'maxSessionsPerAddress'>> &
    KcpRawListenOptions
  readonly #onSession: (session: KcpSession) => void
  /** By address and port. */
  readonly #sessions = new Map<
    string,
    { readonly conversation: RawConversation; readonly session: KcpSession }
  >()
  readonly #perHost = new HostCounts()
  readonly #ended = new Map<string, number>()
  #closing: Promise<void> | undefined

  /** @internal Use `listenRaw`. */
  constructor(
    endpoint: Endpoint,
    options: Required<Pick<KcpRawListenOptions, 'maxSessions' | 'maxSessionsPerAddress'>> &
      KcpRawListenOptions,
    onSession: (session: KcpSession) => void,
  ) {
    this.#endpoint = endpoint
    this.#options = options
    this.#onSession = onSession
    endpoint.socket.onDatagram = (bytes, address, port) => this.deliver(bytes, address, port)
    endpoint.socket.onError = (error) =>
      endpoint.options.logger.debug('socket error', { message: error.message })
  }

  get address(): string {
    return this.#endpoint.socket.address
  }
  get port(): number {
    return this.#endpoint.socket.port
  }
  get sessionCount(): number {
    return this.#sessions.size
  }

  /** What has gone through this port, and what was dropped for which reason. */
  counters(): KcpCounters {
    const { counters } = this.#endpoint
    return { ...counters, dropped: { ...counters.dropped } }
  }

  /** Takes a datagram as if it had come by the socket. Any bytes may come. */
  deliver(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    endpoint.counters.datagramsIn += 1
    endpoint.counters.bytesIn += bytes.length
    if (bytes.length > MAX_DATAGRAM_BYTES + envelopeBytes(this.#options)) {
      endpoint.drop('tooLong')
      return
    }
    const from = openEnvelope(bytes, this.#options)
    if (from < 0) {
      endpoint.drop('rawChecksum')
      return
    }
    if (bytes.length - from < IKCP_OVERHEAD) {
      endpoint.drop('tooShort')
      return
    }
    const conv = readU32(bytes, from)
    const key = `${address} ${port}`
    const known = this.#sessions.get(key)?.conversation
    // Whoever can write an address on a datagram must not be able to end or replace what is there.
    if (known !== undefined && known.kcp.conv !== conv) endpoint.drop('rawConv')
    else (known ?? this.#begin(bytes, from, conv, key, address, port))?.handle(bytes, from)
  }

  /** Closes the sessions and then the port. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const thrown = await closeAll([...this.#sessions.values()].map(({ session }) => session))
    this.#endpoint.turns.wheel.clear()
    await rejectAfter(this.#endpoint.socket.close(), thrown)
  }

  #begin(
    bytes: Uint8Array,
    from: number,
    conv: number,
    key: string,
    address: string,
    port: number,
  ): RawConversation | undefined {
    const endpoint = this.#endpoint
    const { initialSn } = endpoint.options
    const isFirst = bytes[from + 4] === IKCP_CMD_PUSH && readU32(bytes, from + 12) === initialSn
    if (conv === 0 || !isFirst) {
      endpoint.drop('rawNotFirst')
      return undefined
    }
    const now = endpoint.now()
    this.#expire(now)
    if (this.#ended.has(`${key} ${conv}`)) {
      endpoint.drop('closedConv')
      return undefined
    }
    const { maxSessions, maxSessionsPerAddress, allow } = this.#options
    const fromHost = this.#perHost.of(address)
    if (this.#sessions.size >= maxSessions || fromHost >= maxSessionsPerAddress) {
      endpoint.drop('full')
      return undefined
    }
    if (this.#closing !== undefined || !allow(address, port, conv)) {
      endpoint.drop('refused')
      return undefined
    }
    const conversation = new RawConversation(
      endpoint,
      conv,
      { address, port },
      this.#options,
      () => this.#forget(key, conv, address),
      now,
    )
    const session = new KcpSession(conversation)
    this.#sessions.set(key, { conversation, session })
    this.#perHost.add(address)
    endpoint.counters.opened += 1
    conversation.start(now)
    giveTo(this.#onSession, session, conversation)
    return conversation
  }

  #forget(key: string, conv: number, address: string): void {
    this.#sessions.delete(key)
    this.#perHost.delete(address)
    if (this.#ended.size >= MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value!)
    this.#ended.set(`${key} ${conv}`, this.#endpoint.now() + ENDED_MS)
  }

  #expire(now: number): void {
    for (const [key, untilMs] of this.#ended) {
      if (untilMs > now) return
      this.#ended.delete(key)
    }
  }
}
