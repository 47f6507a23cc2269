import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { isIP } from 'node:net'
import type {
  DatagramSocket,
  DatagramSocketOptions,
  OpenDatagramSocket,
  Siblings,
} from './datagram-socket.ts'
import { systemClock } from '../clock.ts'
import { openScrubber } from './flood/scrubber.ts'
import { claimPort } from './port-claim.ts'

const BUFFER_BYTES = 2048
/** So often a client is told of a send that failed. */
const REPORT_EVERY_MS = 250
/** More waiting in the process than this is no use to anybody: the datagrams would be late. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** Where a socket that is connected gets what comes from there, though others are bound to the same port. */
const PREFERS_CONNECTED = process.platform === 'linux'

/** Opens a socket of `node:dgram`. */
export const openUdpSocket: OpenDatagramSocket = async (options) => {
  const { bind, connect, reusePort } = options
  if (bind !== undefined) {
    const [host = bind.host] = await addressesOf(bind.host)
    const at = { ...options, bind: { ...bind, host } }
    return PREFERS_CONNECTED && connect === undefined && !reusePort ? openAlone(at) : openOne(at)
  }
  if (connect === undefined) return openOne(options)
  let failure: unknown
  for (const host of await addressesOf(connect.host)) {
    try {
      return await openOne({ ...options, connect: { ...connect, host } })
    } catch (error) {
      // No way there from here: another family of addresses may have one.
      failure ??= error
    }
  }
  throw failure
}

/** Those of IPv4 first, as listeners are found there by default; a host without a way to them has no IPv4. */
async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0 || host === '') return [host]
  const found = await lookup(host, { all: true })
  return found.toSorted((a, b) => a.family - b.family).map(({ address }) => address)
}

/**
 * A port that is to be shared with sockets for single clients must allow it from the start, and what allows it does
 * not keep others out: so another socket finds out first that nobody has it. In between the port is nobody's, and
 * two that start at once would both find it free; hence the claim. It is of the port alone, as one address may
 * contain another.
 */
async function openAlone(options: DatagramSocketOptions): Promise<DatagramSocket> {
  const bind = options.bind!
  let release = bind.port === 0 ? undefined : await claimPort(bind.port)
  try {
    const first = await openOne(options)
    const { port } = first
    try {
      release ??= await claimPort(port)
    } finally {
      await first.close()
    }
    return await openOne({ ...options, bind: { ...bind, port }, reusePort: true })
  } finally {
    release?.()
  }
}

/** @param options - With addresses, no names. */
const openOne = async (options: DatagramSocketOptions): Promise<DatagramSocket> => {
  const family = isIP((options.bind ?? options.connect)?.host ?? '') === 6 ? 6 : 4
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    reusePort: options.reusePort,
    // One that answers at once lets a send happen before it returns. Sends go where datagrams came from: those
    // are addresses too, and looking at each again would cost a regular expression.
    lookup: (address, _options, done) => done(null, address, family),
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
  readonly remoteAddress: string | undefined
  readonly #socket: Socket
  readonly #isConnected: boolean
  readonly #isClient: boolean
  #reportedMs = -Infinity
  /** Without it Node says nothing of a send that failed at once, as when there is no way there any more. */
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.onError(error)
  }
  #closing: Promise<void> | undefined

  constructor(socket: Socket, options: DatagramSocketOptions) {
    const { address, port } = socket.address()
    this.address = address
    this.port = port
    this.#socket = socket
    this.#isConnected = options.connect !== undefined
    this.#isClient = this.#isConnected && options.bind === undefined
    this.remoteAddress = this.#isConnected ? socket.remoteAddress().address : undefined
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
      if (this.#isConnected) socket.send(view, this.#reporter())
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

  unref(): void {
    this.#socket.unref()
  }

  /** Not of every send, as it costs each a turn of its own. */
  #reporter(): ((error: Error | null) => void) | undefined {
    if (!this.#isClient) return undefined
    const nowMs = systemClock.now()
    if (nowMs < this.#reportedMs + REPORT_EVERY_MS) return undefined
    this.#reportedMs = nowMs
    return this.#onSent
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
