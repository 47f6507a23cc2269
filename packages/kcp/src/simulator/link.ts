import { type Arrival, Path, type PathCounters, type PathOptions } from './path.ts'
import type { SimulatorClock } from './virtual-time.ts'

/** A link between two ends, `a` and `b`. */
export interface LinkOptions {
  /** The same seed gives the same fate to a datagram sent at the same time. */
  readonly seed: number
  /** What happens from `a` to `b`. */
  readonly forth?: PathOptions
  /** What happens from `b` to `a`. @defaultValue as `forth` */
  readonly back?: PathOptions
  /** Times at which a NAT gives `a` a new address: what is under way to the old one is lost. */
  readonly rebindsMs?: readonly number[]
}

/** One end of a simulated link. */
export interface LinkEnd {
  /** This end's address as the other sees it. */
  readonly address: string
  /** The other end's address as it was last seen: the default target. */
  readonly peerAddress: string
  readonly counters: Readonly<PathCounters>
  /** Sends a datagram; copied before return. */
  send(datagram: Uint8Array, to?: string): void
  /** Called with each datagram that arrives; the bytes are the callee's. */
  onDatagram: (datagram: Uint8Array, from: string) => void
}

class End implements LinkEnd {
  address: string
  peerAddress: string
  peer: End | undefined
  onDatagram: (datagram: Uint8Array, from: string) => void = () => undefined
  readonly #clock: SimulatorClock
  readonly #startMs: number
  readonly #path: Path

  constructor(clock: SimulatorClock, path: Path, address: string, peerAddress: string) {
    this.#clock = clock
    this.#startMs = clock.now()
    this.#path = path
    this.address = address
    this.peerAddress = peerAddress
  }

  get counters(): Readonly<PathCounters> {
    return this.#path.counters
  }

  send(datagram: Uint8Array, to: string = this.peerAddress): void {
    // A path counts time from the start of its link, so that a clock near 2^32 meets the same fate as one near 0.
    const nowMs = this.#clock.now() - this.#startMs
    const from = this.address
    for (const arrival of this.#path.send(nowMs, datagram.length)) {
      const bytes = Uint8Array.prototype.slice.call(datagram)
      for (const bit of arrival.flips) bytes[bit >> 3]! ^= 1 << (bit & 7)
      this.#schedule(bytes, arrival, nowMs, from, to)
    }
  }

  #schedule(bytes: Uint8Array, arrival: Arrival, nowMs: number, from: string, to: string): void {
    this.#clock.setTimer(arrival.atMs - nowMs, () => {
      const { peer } = this
      if (peer === undefined || peer.address !== to) {
        this.#path.counters.unreachable += 1
        return
      }
      this.#path.counters.arrived += 1
      peer.peerAddress = from
      peer.onDatagram(bytes, from)
    })
  }
}

/** Two ends and what lies between them, on any clock. */
export class SimulatedLink {
  readonly a: LinkEnd
  readonly b: LinkEnd
  readonly #a: End
  #rebinds = 0

  constructor(clock: SimulatorClock, options: LinkOptions) {
    const { seed, forth = {}, back = forth, rebindsMs = [] } = options
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed is a whole number, not ${seed}`)
    this.#a = new End(clock, new Path(seed, 0, forth), 'a:1', 'b:1')
    const b = new End(clock, new Path(seed, 1, back), 'b:1', 'a:1')
    this.#a.peer = b
    b.peer = this.#a
    this.a = this.#a
    this.b = b
    for (const atMs of rebindsMs) clock.setTimer(atMs, () => this.rebind())
  }

  /** Gives `a` a new address, as a NAT that forgot its mapping does. */
  rebind(): void {
    this.#rebinds += 1
    this.#a.address = `a:${this.#rebinds + 1}`
  }
}
