import type {
  DatagramSocket,
  DatagramSocketOptions,
  OpenDatagramSocket,
} from '../socket/datagram-socket.ts'
import { Path, type PathOptions } from './path.ts'
import type { SimulatorClock } from './virtual-time.ts'

const FIRST_FREE_PORT = 50_000

export interface SimulatedNetworkOptions {
  readonly clock: SimulatorClock
  /** The same seed gives the same fate to a datagram sent at the same time. */
  readonly seed: number
  /** What lies between any two hosts, each way. @defaultValue nothing: no delay, no loss */
  readonly path?: PathOptions
}

/** What a socket asks of its network. */
interface Wire {
  carry(from: SimulatedSocket, bytes: Uint8Array, address: string, port: number): void
  remove(socket: SimulatedSocket): void
}

/** UDP between hosts that are only names. Its sockets carry whole sessions through a simulation: they are what `openSocket` asks for. */
export class SimulatedNetwork {
  readonly #clock: SimulatorClock
  readonly #startMs: number
  readonly #seed: number
  readonly #options: PathOptions
  /** By sending and receiving host. */
  readonly #paths = new Map<string, Path>()
  /** By host and port. */
  readonly #sockets = new Map<string, SimulatedSocket>()
  readonly #cut = new Set<string>()
  readonly #wire: Wire = {
    carry: (from, bytes, address, port) => this.#carry(from, bytes, address, port),
    remove: (socket) => this.#remove(socket),
  }
  #nextPort = FIRST_FREE_PORT

  constructor({ clock, seed, path = {} }: SimulatedNetworkOptions) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed is a whole number, not ${seed}`)
    this.#clock = clock
    this.#startMs = clock.now()
    this.#seed = seed
    this.#options = path
  }

  /** Opens sockets on that host, for the `openSocket` of `listen` and `connect`. */
  host(name: string): OpenDatagramSocket {
    return (options) => this.#open(name, options)
  }

  /** Gives every socket of a host another port, or another address too, as a NAT does that has forgotten the old one. */
  rebind(host: string, address: string = host): void {
    for (const socket of this.#socketsOf(host)) {
      this.#remove(socket)
      socket.address = address
      socket.port = this.#nextPort++
      this.#add(socket)
    }
  }

  /** While on, nothing arrives between two hosts. */
  cut(a: string, b: string, on: boolean): void {
    for (const direction of [`${a} ${b}`, `${b} ${a}`]) {
      if (on) this.#cut.add(direction)
      else this.#cut.delete(direction)
    }
  }

  /** Takes away every socket of a host without a word. Who sends there is told that nobody listens, as the system's own sockets tell. */
  crash(host: string): void {
    for (const socket of this.#socketsOf(host)) this.#remove(socket)
  }

  #remove(socket: SimulatedSocket): void {
    const key = `${socket.address} ${socket.port}`
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key)
  }

  #carry(from: SimulatedSocket, bytes: Uint8Array, address: string, port: number): void {
    // One that was taken away sends nothing any more.
    const { address: sender, port: senderPort } = from
    if (this.#sockets.get(`${sender} ${senderPort}`) !== from) return
    const nowMs = this.#clock.now() - this.#startMs
    for (const { atMs, flips } of this.#path(sender, address).send(nowMs, bytes.length)) {
      const copy = bytes.slice()
      for (const bit of flips) copy[bit >> 3]! ^= 1 << (bit & 7)
      this.#clock.setTimer(atMs - nowMs, () => {
        if (this.#cut.has(`${sender} ${address}`)) return
        const target = this.#sockets.get(`${address} ${port}`)
        if (target === undefined) this.#refuse(from, atMs - nowMs)
        else target.take(copy, sender, senderPort)
      })
    }
  }

  #refuse(sender: SimulatedSocket, delayMs: number): void {
    if (!sender.isConnected) return
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    this.#clock.setTimer(delayMs, () => sender.onError(error))
  }

  #open(host: string, { bind, connect }: DatagramSocketOptions): Promise<DatagramSocket> {
    const port = bind?.port || this.#nextPort++
    if (this.#sockets.has(`${host} ${port}`)) {
      const error = new Error(`bind EADDRINUSE ${host} port ${port}`)
      return Promise.reject(Object.assign(error, { code: 'EADDRINUSE' }))
    }
    const socket = new SimulatedSocket(this.#wire, host, port, connect)
    this.#add(socket)
    return Promise.resolve(socket)
  }

  #add(socket: SimulatedSocket): void {
    this.#sockets.set(`${socket.address} ${socket.port}`, socket)
  }

  #socketsOf(host: string): SimulatedSocket[] {
    return [...this.#sockets.values()].filter(({ address }) => address === host)
  }

  #path(from: string, to: string): Path {
    const key = `${from} ${to}`
    const known = this.#paths.get(key)
    if (known !== undefined) return known
    const path = new Path(this.#seed, this.#paths.size, this.#options)
    this.#paths.set(key, path)
    return path
  }
}

class SimulatedSocket implements DatagramSocket {
  address: string
  port: number
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void = () => {}
  onError: (error: Error) => void = () => {}
  readonly #wire: Wire
  readonly #peer: { readonly host: string; readonly port: number } | undefined

  constructor(
    wire: Wire,
    address: string,
    port: number,
    peer: { readonly host: string; readonly port: number } | undefined,
  ) {
    this.#wire = wire
    this.address = address
    this.port = port
    this.#peer = peer
  }

  get isConnected(): boolean {
    return this.#peer !== undefined
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    this.#wire.carry(this, bytes.slice(from, end), address, port)
    return true
  }

  /** One that is connected hears nobody else. */
  take(bytes: Uint8Array, address: string, port: number): void {
    const peer = this.#peer
    if (peer === undefined || (peer.host === address && peer.port === port))
      this.onDatagram(bytes, address, port)
  }

  close(): Promise<void> {
    this.#wire.remove(this)
    return Promise.resolve()
  }
}
