import { systemClock } from '../clock.ts'
import type { DatagramSocket, OpenDatagramSocket } from '../socket/datagram-socket.ts'
import { Path, type PathOptions } from './path.ts'
import type { SimulatorClock } from './virtual-time.ts'

export interface ImpairedOptions {
  /** Decides what is lost, late, doubled or spoilt; each socket that is opened has a fate of its own. */
  readonly seed: number
  /** What happens to datagrams sent. */
  readonly out?: PathOptions
  /** What happens to datagrams received. @defaultValue as `out` */
  readonly in?: PathOptions
  /** @defaultValue the system's */
  readonly clock?: SimulatorClock
}

/**
 * Sockets on a bad line, wherever they go: `connect({ ..., openSocket: impaired(openUdpSocket, { seed: 1, out: { loss: 0.1 } }) })`.
 * What the system says of a port on which nobody listens comes through as it is.
 */
export function impaired(open: OpenDatagramSocket, options: ImpairedOptions): OpenDatagramSocket {
  const { seed, out = {}, clock = systemClock } = options
  let sockets = 0
  return async (socketOptions) => {
    const stream = 2 * sockets
    sockets += 1
    const paths = [new Path(seed, stream, out), new Path(seed, stream + 1, options.in ?? out)]
    return new ImpairedSocket(await open(socketOptions), clock, paths[0]!, paths[1]!)
  }
}

class ImpairedSocket implements DatagramSocket {
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void = () => {}
  readonly #socket: DatagramSocket
  readonly #clock: SimulatorClock
  readonly #out: Path
  #isClosed = false

  constructor(socket: DatagramSocket, clock: SimulatorClock, out: Path, into: Path) {
    this.#socket = socket
    this.#clock = clock
    this.#out = out
    socket.onDatagram = (bytes, address, port) =>
      this.#pass(into, bytes, (arrived) => this.onDatagram(arrived, address, port))
  }

  get address(): string {
    return this.#socket.address
  }

  get port(): number {
    return this.#socket.port
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get onError(): (error: Error) => void {
    return this.#socket.onError
  }

  set onError(onError: (error: Error) => void) {
    this.#socket.onError = onError
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    this.#pass(this.#out, bytes.subarray(from, end), (datagram) =>
      this.#socket.send(datagram, 0, datagram.length, port, address),
    )
    return true
  }

  unref(): void {
    this.#socket.unref?.()
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.#socket.close()
  }

  #pass(path: Path, bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    const nowMs = this.#clock.now()
    for (const { atMs, flips } of path.send(nowMs, bytes.length)) {
      const copy = new Uint8Array(bytes)
      for (const bit of flips) copy[bit >> 3]! ^= 1 << (bit & 7)
      const delayMs = atMs - nowMs
      // Without a delay of its own it keeps its place.
      if (delayMs <= 0) deliver(copy)
      else this.#clock.setTimer(delayMs, () => void (this.#isClosed || deliver(copy)))
    }
  }
}
