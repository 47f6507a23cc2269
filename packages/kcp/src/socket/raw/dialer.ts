import { commonsOfClients } from '../commons.ts'
import { MAX_DATAGRAM_BYTES } from '../datagram.ts'
import { Endpoint } from '../endpoint.ts'
import { openWithin } from '../opening.ts'
import { resolveOptions, whole, type KcpSocketOptions } from '../options.ts'
import { RawConversation } from './conversation.ts'
import { envelopeBytes, openEnvelope } from './envelope.ts'
import { checkRaw, type RawOptions } from './options.ts'
import { KcpSession } from '../session.ts'

/** Options of `connectRaw`; what only sessions with a handshake have is not among them. */
export interface KcpRawConnectOptions
  extends
    RawOptions,
    Omit<KcpSocketOptions, 'security' | 'keepaliveMs' | 'maxDatagramBytes' | 'maxMessageBytes'> {
  readonly host: string
  readonly port: number
  /** Largest message accepted, in bytes. @defaultValue 65536 */
  readonly maxMessageBytes?: number
  /** 1 to 2^32-1. @defaultValue a random one */
  readonly conv?: number
}

/**
 * A session with a plain KCP peer. There is no handshake: whether anybody is there shows when something is
 * acknowledged, and a peer that ends is noticed by its silence.
 *
 * @throws KcpError `KCP_CONNECT_FAILED` when there is no such address.
 * @throws RangeError when an option is out of range.
 */
export async function connectRaw(options: KcpRawConnectOptions): Promise<KcpSession> {
  const resolved = resolveOptions(options)
  checkRaw(options)
  const { host, port } = options
  const conv = options.conv ?? drawConv(resolved.random(4))
  whole({ conv }, 'conv', 1, 0xffff_ffff)
  const socket = await openWithin(resolved, { connect: { host, port } })
  const endpoint = new Endpoint(socket, resolved, commonsOfClients(resolved.clock))
  const now = endpoint.now()
  const conversation = new RawConversation(
    endpoint,
    conv,
    { address: socket.remoteAddress ?? host, port },
    options,
    () => endpoint.clock.defer(() => void socket.close()),
    now,
  )
  socket.onError = (error) => resolved.logger.debug('socket error', { message: error.message })
  socket.onDatagram = (bytes) => {
    endpoint.counters.datagramsIn += 1
    endpoint.counters.bytesIn += bytes.length
    const from = openEnvelope(bytes, options)
    if (bytes.length > MAX_DATAGRAM_BYTES + envelopeBytes(options)) endpoint.drop('tooLong')
    else if (from < 0) endpoint.drop('rawChecksum')
    else conversation.handle(bytes, from)
  }
  endpoint.counters.opened += 1
  const session = new KcpSession(conversation)
  conversation.start(now)
  return session
}

const drawConv = ([a = 0, b = 0, c = 0, d = 0]: Uint8Array): number =>
  (a | 1 | (b << 8) | (c << 16) | (d << 24)) >>> 0
