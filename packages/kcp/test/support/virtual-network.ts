import { seededRandom, type SeededRandom } from '@rts/testing'
import { afterEach, beforeEach, describe } from 'vitest'
import { VirtualTime } from '../../src/simulator.ts'
import {
  connect,
  listen,
  type Clock,
  type DatagramSocket,
  type DatagramSocketOptions,
  type KcpConnectOptions,
  type KcpListener,
  type KcpListenOptions,
  type KcpSession,
} from '../../src/index.ts'
import { type Start, STARTS } from './wire.ts'

let start: Start = STARTS[0]!

/** Runs a suite with sequence numbers and clocks that begin at each place where 32 bits wrap. */
export function atEachStart(suite: () => void): void {
  describe.each(STARTS)('with numbers and clock that begin near $where', (each) => {
    beforeEach(() => {
      start = each
    })
    afterEach(() => {
      start = STARTS[0]!
    })
    suite()
  })
}

/** One datagram on its way, as whoever listens in sees it. */
export interface Seen {
  readonly atMs: number
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
}

export interface Faults {
  loss: number
  duplicate: number
  corrupt: number
  delayMs: number
  jitterMs: number
  /** Larger datagrams are lost. */
  mtu: number
  isCut: boolean
}

const noFaults = (): Faults => ({
  loss: 0,
  duplicate: 0,
  corrupt: 0,
  delayMs: 5,
  jitterMs: 0,
  mtu: Infinity,
  isCut: false,
})

/** UDP between hosts that are only names, in virtual time, by a seed. */
export class VirtualNetwork {
  readonly time: VirtualTime
  readonly clock: Clock
  readonly random: SeededRandom
  /** Where sequence numbers begin, at both ends. */
  readonly initialSn: number = start.sn
  readonly faults: Faults = noFaults()
  /** Everything sent, when `isRecording`. */
  readonly seen: Seen[] = []
  isRecording = false
  readonly #sockets = new Map<string, VirtualSocket>()
  #nextPort = 50_000

  constructor(seed = 1, startMs = start.ms) {
    const time = new VirtualTime(startMs)
    this.time = time
    this.random = seededRandom(seed)
    this.clock = {
      now: () => time.now(),
      wall: () => time.now(),
      setTimer: (delayMs, fn) => time.setTimer(delayMs, fn),
      defer: (fn) => void time.setTimer(0, fn),
    }
  }

  /** What sockets on this network need in their options, with the number at which they begin. */
  on(
    host: string,
  ): Required<Pick<KcpConnectOptions, 'clock' | 'random' | 'openSocket' | 'initialSn'>> {
    const openSocket = (options: DatagramSocketOptions): Promise<DatagramSocket> =>
      Promise.resolve(this.open(host, options))
    const { clock } = this
    return { clock, random: this.random.fork(), openSocket, initialSn: this.initialSn }
  }

  open(host: string, options: DatagramSocketOptions): VirtualSocket {
    const port = options.bind?.port || this.#nextPort++
    const socket = new VirtualSocket(this, host, port)
    this.bind(socket)
    return socket
  }

  bind(socket: VirtualSocket): void {
    this.#sockets.set(`${socket.address} ${socket.port}`, socket)
  }

  unbind(socket: VirtualSocket): void {
    this.#sockets.delete(`${socket.address} ${socket.port}`)
  }

  /** Gives every socket of a host another port, as a NAT does that has forgotten the old one. */
  rebind(host: string, newHost = host): void {
    for (const socket of [...this.#sockets.values()]) {
      if (socket.address !== host) continue
      this.unbind(socket)
      socket.address = newHost
      socket.port = this.#nextPort++
      this.bind(socket)
    }
  }

  /** Puts a datagram on the way as if `from` had sent it. */
  inject(from: string, to: string, bytes: Uint8Array): void {
    const space = from.lastIndexOf(' ')
    this.#deliver(from.slice(0, space), Number(from.slice(space + 1)), to, bytes)
  }

  carry(from: VirtualSocket, to: string, bytes: Uint8Array): void {
    const { faults, random, time } = this
    const sender = `${from.address} ${from.port}`
    if (this.isRecording) this.seen.push({ atMs: time.now(), from: sender, to, bytes })
    if (faults.isCut || bytes.length > faults.mtu) return
    const copies = faults.duplicate > 0 && random.chance(faults.duplicate) ? 2 : 1
    const { address, port } = from
    for (let copy = 0; copy < copies; copy += 1) {
      if (faults.loss > 0 && random.chance(faults.loss)) continue
      const arrived = bytes.slice()
      if (faults.corrupt > 0 && random.chance(faults.corrupt))
        arrived[random.int(arrived.length)]! ^= 1 << random.int(8)
      const delay = faults.delayMs + (faults.jitterMs > 0 ? random.next() * faults.jitterMs : 0)
      time.setTimer(delay, () => this.#deliver(address, port, to, arrived))
    }
  }

  /** Runs for a while. */
  run(ms: number): void {
    this.time.run(this.time.now() + ms)
  }

  /** Runs until it is so; throws when it is not within `limitMs`. */
  runUntil(isDone: () => boolean, limitMs = 60_000): void {
    const end = this.time.now() + limitMs
    while (!isDone()) {
      if (this.time.now() > end || !this.time.step()) throw new Error('it did not come to be')
    }
  }

  /** Runs until a promise has settled. */
  async settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false
    const done = promise.finally(() => {
      isSettled = true
    })
    done.catch(() => {})
    const end = this.time.now() + limitMs
    for (;;) {
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      if (isSettled || this.time.now() > end || !this.time.step()) break
    }
    if (!isSettled) throw new Error('the promise did not settle')
    return done
  }

  #deliver(address: string, port: number, to: string, bytes: Uint8Array): void {
    this.#sockets.get(to)?.onDatagram(bytes, address, port)
  }
}

class VirtualSocket implements DatagramSocket {
  address: string
  port: number
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void = () => {}
  onError: (error: Error) => void = () => {}
  readonly #network: VirtualNetwork

  constructor(network: VirtualNetwork, address: string, port: number) {
    this.#network = network
    this.address = address
    this.port = port
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    this.#network.carry(this, `${address} ${port}`, bytes.slice(from, end))
    return true
  }

  close(): Promise<void> {
    this.#network.unbind(this)
    return Promise.resolve()
  }
}

/** A listener on `10.0.0.1` port 7000. */
export async function listening(
  network: VirtualNetwork,
  options: Partial<KcpListenOptions> = {},
  onSession: (session: KcpSession) => void = () => {},
): Promise<KcpListener> {
  const host = '10.0.0.1'
  return listen({ ...network.on(host), host, port: 7000, ...options }, onSession)
}

/** A session from `10.0.9.1` to it. */
export function connecting(
  network: VirtualNetwork,
  options: Partial<KcpConnectOptions> = {},
  from = '10.0.9.1',
): Promise<KcpSession> {
  const to = { host: '10.0.0.1', port: 7000 }
  const attempt = connect({ ...network.on(from), ...to, ...options })
  return network.settle(attempt)
}

export interface Pair {
  readonly network: VirtualNetwork
  readonly listener: KcpListener
  readonly near: KcpSession
  readonly far: KcpSession
}

/** Both ends of a session. */
export async function pair(
  options: {
    readonly seed?: number
    readonly startMs?: number
    readonly network?: VirtualNetwork
    readonly near?: Partial<KcpConnectOptions>
    readonly far?: Partial<KcpListenOptions>
  } = {},
): Promise<Pair> {
  const network = options.network ?? new VirtualNetwork(options.seed, options.startMs)
  let far: KcpSession | undefined
  const listener = await listening(network, options.far, (session) => {
    far = session
  })
  const near = await connecting(network, options.near)
  network.runUntil(() => far !== undefined)
  return { network, listener, near, far: far! }
}

/** Everything a session hears. */
export class Heard {
  readonly messages: Uint8Array[] = []
  readonly unreliable: Uint8Array[] = []
  readonly closes: { code: number; reason: string; by: string; error?: string }[] = []
  drains = 0
  migrations = 0

  constructor(session: KcpSession) {
    session.on('message', (bytes) => this.messages.push(bytes))
    session.on('unreliable', (bytes) => this.unreliable.push(bytes))
    session.on('drain', () => (this.drains += 1))
    session.on('migrated', () => (this.migrations += 1))
    session.on('close', ({ code, reason, by, error }) =>
      this.closes.push({ code, reason, by, ...(error && { error: error.code }) }),
    )
  }
}

/** Has somebody read, so that nothing waits. */
export function read(session: KcpSession): void {
  session.onMessage = () => {}
}
