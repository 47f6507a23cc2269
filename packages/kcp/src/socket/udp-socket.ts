import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { once } from 'node:events'
import { isIP } from 'node:net'
import type {
  DatagramSocket,
  DatagramSocketOptions,
  OpenDatagramSocket,
  Siblings,
} from './datagram-socket.ts'
import { openScrubber } from './flood/scrubber.ts'

const BUFFER_BYTES = 2048
/** More waiting in the process than this is no use to anybody: the datagrams would be late. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** Where a socket that is connected gets what comes from there, though others are bound to the same port. */
const PREFERS_CONNECTED = process.platform === 'linux'

/** Opens a socket of `node:dgram`. */
export const openUdpSocket: OpenDatagramSocket = async (options) => {
  const { bind, connect, reusePort } = options
  if (!PREFERS_CONNECTED || bind === undefined || connect !== undefined || reusePort)
    return openOne(options)
  // A port that is to be shared with sockets for single clients must allow it from the start; but it is
  // taken only when nobody has it.
  const first = await openOne(options)
  const { port } = first
  await first.close()
  return openOne({ ...options, bind: { ...bind, port }, reusePort: true })
}

const openOne = async (options: DatagramSocketOptions): Promise<DatagramSocket> => {
  const host = (options.bind ?? options.connect)?.host ?? '0.0.0.0'
  const family = isIP(host) === 6 ? 6 : 4
  let isOpen = false
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    reusePort: options.reusePort,
    // A lookup that answers at once lets a send happen before it returns. Once open, sends go where datagrams
    // came from: those are addresses, and looking at each again would cost a regular expression.
    lookup: (name, lookupOptions, done) => {
      if (isOpen || isIP(name) !== 0) done(null, name, family)
      else lookup(name, lookupOptions, done)
    },
  })
  try {
    const { bind, connect } = options
    const failed = once(socket, 'error').then(([error]) => {
      throw error
    })
    failed.catch(() => {})
    if (bind !== undefined) {
      // An address needs no lookup, so the event may come before `bind` returns.
      const listening = once(socket, 'listening')
      socket.bind({ address: bind.host, port: bind.port, exclusive: true })
      await Promise.race([listening, failed])
    }
    if (connect !== undefined) {
      const connected = once(socket, 'connect')
      socket.connect(connect.port, connect.host)
      await Promise.race([connected, failed])
    }
  } catch (error) {
    socket.on('error', () => {})
    socket.close()
    throw error
  }
  isOpen = true
  return new UdpSocket(socket, options)
}

/** A datagram on its way to the system. */
class Outgoing {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** Views of the buffer by length, so that a send makes none. */
  readonly #views: (Buffer | undefined)[] = []

  fill(bytes: Uint8Array, from: number, end: number): Buffer {
    const length = end - from
    this.#buffer.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end))
    return (this.#views[length] ??= this.#buffer.subarray(0, length))
  }
}

/** A send reads it before it returns, as a rule: one serves all sockets. */
let outgoing = new Outgoing()

class UdpSocket implements DatagramSocket {
  readonly address: string
  readonly port: number
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void = () => {}
  onError: (error: Error) => void = () => {}
  readonly siblings: Siblings | undefined
  readonly receiveBufferBytes: number | undefined
  readonly #socket: Socket
  readonly #isConnected: boolean
  #closing: Promise<void> | undefined

  constructor(socket: Socket, options: DatagramSocketOptions) {
    const { address, port } = socket.address()
    this.address = address
    this.port = port
    this.#socket = socket
    this.#isConnected = options.connect !== undefined
    for (const ask of ['setRecvBufferSize', 'setSendBufferSize'] as const) {
      try {
        socket[ask](options.bufferBytes)
      } catch {
        // The system gives what it wants to give.
      }
    }
    this.receiveBufferBytes = givenBytes(socket)
    this.siblings = siblingsOf(port, options)
    // A handler that throws must not keep the next datagram from its own.
    socket.on('message', (bytes, from) => this.onDatagram(bytes, from.address, from.port))
    // ECONNREFUSED of a client, ECONNRESET on Windows: whatever it is, the socket goes on.
    socket.removeAllListeners('error')
    socket.on('error', (error) => this.onError(error))
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    if (this.#closing !== undefined) return false
    const socket = this.#socket
    const view = outgoing.fill(bytes, from, end)
    try {
      if (this.#isConnected) socket.send(view)
      else socket.send(view, port, address)
    } catch (error) {
      this.onError(error as Error)
      return false
    }
    const queued = socket.getSendQueueSize()
    if (queued === 0) return true
    // What could not go at once reads the buffer when its time comes: it keeps this one.
    outgoing = new Outgoing()
    return queued < MAX_QUEUED_BYTES
  }

  close(): Promise<void> {
    return (this.#closing ??= new Promise((resolve) => {
      this.#socket.close(() => resolve())
    }))
  }
}

function siblingsOf(port: number, options: DatagramSocketOptions): Siblings | undefined {
  const { bind, connect, reusePort } = options
  if (!PREFERS_CONNECTED || bind === undefined || connect !== undefined || !reusePort)
    return undefined
  const same = { ...options, bind: { host: bind.host, port } }
  return {
    connected: (host, peerPort) => openOne({ ...same, connect: { host, port: peerPort } }),
    plain: () => openOne(same),
    scrubbed: (rules) => openScrubber(same, rules),
  }
}

function givenBytes(socket: Socket): number | undefined {
  try {
    const bytes = socket.getRecvBufferSize()
    // Linux counts its own bookkeeping too, and says twice what is for the datagrams.
    return process.platform === 'linux' ? bytes / 2 : bytes
  } catch {
    return undefined
  }
}
