import type { Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import type { Random } from '../random.ts'
import { PairLink, type Courier } from './pair-link.ts'

export interface SimNetworkOptions {
  readonly clock: Clock
  readonly random: Random
  /** One way, in milliseconds. @defaultValue 1 */
  readonly delayMs?: number
  /** Added to the delay, evenly spread; order is kept. @defaultValue 0 */
  readonly jitterMs?: number
  /** Of each direction of each link. @defaultValue unlimited */
  readonly bytesPerSecond?: number
}

export interface SimHost extends Transport {
  readonly name: string
  /** The host crashes: its links are reset, it listens and dials no more. */
  abort(): void
}

const FIRST_FREE_PORT = 49_152

/** Simulated links between named hosts, the same for the same seed. URLs: `sim://host:port`. */
export class SimNetwork {
  readonly #wires: Wires
  readonly #hosts = new Map<string, Host>()

  constructor(options: SimNetworkOptions) {
    this.#wires = new Wires(options)
  }

  /** The transport of a host. After its `abort()` the next call gives a fresh one: the host was started again. */
  host(name: string): SimHost {
    const known = this.#hosts.get(name)
    if (known !== undefined && !known.isDown) return known
    const host = new Host(name, this.#wires, (other) => this.#hosts.get(other))
    this.#hosts.set(name, host)
    return host
  }

  /** Resets the links between two hosts, at both ends at once; what was under way is lost. */
  cut(a: string, b: string): void {
    this.#wires.cut(a, b)
  }

  /**
   * While it is on, nothing arrives between two hosts, not even a reset or a dial. What was sent meanwhile
   * arrives afterwards, as TCP would have it, unless its link was given up.
   *
   * @param options - `oneWay`: only what `a` sends to `b` is held.
   */
  partition(a: string, b: string, on: boolean, options: { readonly oneWay?: boolean } = {}): void {
    this.#wires.hold('partition', a, b, on)
    if (options.oneWay !== true) this.#wires.hold('partition', b, a, on)
  }

  /** While it is on, messages between two hosts wait, as with a reader that stopped; cuts and resets still arrive. */
  stall(a: string, b: string, on: boolean): void {
    this.#wires.hold('stall', a, b, on)
    this.#wires.hold('stall', b, a, on)
  }
}

const direction = (from: string, to: string): string => `${from} > ${to}`

/** The couriers of all links, with what holds them back. */
class Wires {
  readonly clock: Clock
  readonly #random: Random
  readonly #delayMs: number
  readonly #jitterMs: number
  readonly #bytesPerMs: number
  readonly #held = { partition: new Set<string>(), stall: new Set<string>() }
  readonly #couriers = new Map<string, Set<SimCourier>>()
  readonly #links = new Set<{ readonly a: string; readonly b: string; cut(): void }>()

  constructor(options: SimNetworkOptions) {
    this.clock = options.clock
    this.#random = options.random
    this.#delayMs = options.delayMs ?? 1
    this.#jitterMs = options.jitterMs ?? 0
    this.#bytesPerMs = (options.bytesPerSecond ?? Infinity) / 1000
  }

  courier(from: string, to: string): SimCourier {
    const key = direction(from, to)
    const courier = new SimCourier(this, key)
    const couriers = this.#couriers.get(key)
    if (couriers === undefined) this.#couriers.set(key, new Set([courier]))
    else couriers.add(courier)
    return courier
  }

  retire(courier: SimCourier): void {
    this.#couriers.get(courier.key)?.delete(courier)
  }

  /** Registers a link for `cut`; returns the undo. */
  track(a: string, b: string, cut: () => void): () => void {
    const link = { a, b, cut }
    this.#links.add(link)
    return () => void this.#links.delete(link)
  }

  cut(a: string, b: string): void {
    for (const link of [...this.#links]) {
      if ((link.a === a && link.b === b) || (link.a === b && link.b === a)) link.cut()
    }
  }

  hold(why: 'partition' | 'stall', from: string, to: string, on: boolean): void {
    const key = direction(from, to)
    if (on) this.#held[why].add(key)
    else if (this.#held[why].delete(key)) {
      for (const courier of [...(this.#couriers.get(key) ?? [])]) courier.pump()
    }
  }

  isHeld(key: string, isUrgent: boolean): boolean {
    return this.#held.partition.has(key) || (!isUrgent && this.#held.stall.has(key))
  }

  latency(): number {
    if (this.#jitterMs === 0) return this.#delayMs
    const [a = 0, b = 0] = this.#random(2)
    return this.#delayMs + (this.#jitterMs * (a * 256 + b)) / 65_536
  }

  sendingTime(bytes: number): number {
    return bytes / this.#bytesPerMs
  }
}

interface Parcel {
  readonly at: number
  readonly isUrgent: boolean
  readonly arrive: () => void
}

class SimCourier implements Courier {
  readonly key: string
  readonly #wires: Wires
  readonly #queue: Parcel[] = []
  #busyUntil = 0
  #lastAt = 0
  #cancelTimer: (() => void) | undefined

  constructor(wires: Wires, key: string) {
    this.#wires = wires
    this.key = key
  }

  carry(bytes: number, arrive: () => void): void {
    const now = this.#wires.clock.now()
    this.#busyUntil = Math.max(this.#busyUntil, now) + this.#wires.sendingTime(bytes)
    this.#lastAt = Math.max(this.#lastAt, this.#busyUntil + this.#wires.latency())
    // Resets and dials carry nothing and are answered by the other machine's kernel, stalled or not.
    this.#queue.push({ at: this.#lastAt, isUrgent: bytes === 0, arrive })
    this.#schedule()
  }

  clear(): void {
    this.#queue.length = 0
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Delivers what is due and not held back. */
  pump(): void {
    const now = this.#wires.clock.now()
    for (;;) {
      const head = this.#queue[0]
      if (head === undefined || head.at > now) break
      if (this.#wires.isHeld(this.key, head.isUrgent)) return
      this.#queue.shift()
      head.arrive()
    }
    this.#schedule()
  }

  #schedule(): void {
    const head = this.#queue[0]
    if (this.#cancelTimer !== undefined || head === undefined) return
    const wait = Math.max(0, head.at - this.#wires.clock.now())
    this.#cancelTimer = this.#wires.clock.setTimer(wait, () => {
      this.#cancelTimer = undefined
      this.pump()
    })
  }
}

interface SimListener {
  readonly options: LinkOptions
  readonly onLink: (link: Link) => void
}

class Host implements SimHost {
  readonly scheme: string = 'sim'
  readonly name: string
  isDown = false
  readonly #wires: Wires
  readonly #find: (name: string) => Host | undefined
  readonly #listeners = new Map<string, SimListener>()
  readonly #links = new Set<PairLink>()
  readonly #dials = new Set<(error: Error) => void>()
  #nextPort = FIRST_FREE_PORT

  constructor(name: string, wires: Wires, find: (name: string) => Host | undefined) {
    this.name = name
    this.#wires = wires
    this.#find = find
  }

  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    const to = hostOf(url)
    if (this.isDown || to === '') {
      return Promise.reject(failed(url, this.isDown ? `${this.name} is down` : 'no such address'))
    }
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        signal.removeEventListener('abort', abort)
        return this.#dials.delete(fail)
      }
      const fail = (error: Error): void => {
        if (settle()) reject(error)
      }
      const abort = (): void => fail(signal.reason as Error)
      signal.addEventListener('abort', abort)
      this.#dials.add(fail)
      const accept = (link: PairLink): void => {
        if (settle()) resolve(link)
        else link.reset()
      }
      this.#knock(to, url, options, accept, (why) => fail(failed(url, why)))
    })
  }

  listen(url: string, options: LinkOptions, onLink: (link: Link) => void): Promise<Listener> {
    const port = portOf(url)
    const real = port === 0 ? `sim://${this.name}:${this.#nextPort++}` : url
    let problem: string | undefined
    if (this.isDown) problem = 'is down'
    else if (hostOf(url) !== this.name || port === undefined) problem = `cannot listen at ${url}`
    else if (this.#listeners.has(real)) problem = `listens at ${real} already`
    if (problem !== undefined) {
      return Promise.reject(new RpcError('RPC_LISTEN_FAILED', `the host ${this.name} ${problem}`))
    }
    const listener = { options, onLink }
    this.#listeners.set(real, listener)
    return Promise.resolve({
      url: real,
      close: () => {
        if (this.#listeners.get(real) === listener) this.#listeners.delete(real)
        return Promise.resolve()
      },
    })
  }

  abort(): void {
    if (this.isDown) return
    this.isDown = true
    this.#listeners.clear()
    for (const fail of [...this.#dials]) fail(failed(this.name, 'the host was aborted'))
    for (const link of [...this.#links]) link.reset(CLOSE.lost, 'aborted')
  }

  listenerAt(url: string): SimListener | undefined {
    return this.#listeners.get(url)
  }

  /** A dial as the network sees it: there, accepted or refused, and back. */
  #knock(
    to: string,
    url: string,
    options: LinkOptions,
    accept: (link: PairLink) => void,
    refuse: (why: string) => void,
  ): void {
    const wires = this.#wires
    const forth = wires.courier(this.name, to)
    const back = wires.courier(to, this.name)
    const retire = (): void => {
      wires.retire(forth)
      wires.retire(back)
    }
    forth.carry(0, () => {
      const there = this.#find(to)
      const listener = there?.listenerAt(url)
      if (there === undefined || listener === undefined) {
        back.carry(0, () => {
          retire()
          refuse('connection refused')
        })
        return
      }
      let openEnds = 2
      const gone = (): void => {
        openEnds -= 1
        if (openEnds > 0) return
        forget()
        retire()
      }
      const near = this.#add(url, forth, options, () => {
        gone()
        refuse('connection reset')
      })
      const from = `sim://${this.name}:${this.#nextPort++}`
      const far = there.#add(from, back, listener.options, gone)
      PairLink.join(near, far)
      const forget = wires.track(this.name, to, () => {
        forth.clear()
        back.clear()
        near.end(CLOSE.lost, 'cut')
        far.end(CLOSE.lost, 'cut')
      })
      back.carry(0, () => accept(near))
      listener.onLink(far)
    })
  }

  #add(remote: string, out: SimCourier, options: LinkOptions, onGone: () => void): PairLink {
    const link: PairLink = new PairLink(remote, out, this.#wires.clock, options, () => {
      this.#links.delete(link)
      onGone()
    })
    this.#links.add(link)
    return link
  }
}

const failed = (url: string, why: string): RpcError =>
  new RpcError('RPC_CONNECT_FAILED', `${url}: ${why}`)

const ADDRESS = /^sim:\/\/([^/:]+):(\d+)$/

const hostOf = (url: string): string => ADDRESS.exec(url)?.[1] ?? ''

const portOf = (url: string): number | undefined => {
  const port = ADDRESS.exec(url)?.[2]
  return port === undefined ? undefined : Number(port)
}
