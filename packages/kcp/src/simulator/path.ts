import { Dice, sequence } from './dice.ts'

/** How much later than the base delay a datagram may arrive. */
export type Jitter =
  /** Any of 0 to `ms`, all alike. */
  | { readonly kind: 'uniform'; readonly ms: number }
  /** Half a bell curve with this deviation. */
  | { readonly kind: 'normal'; readonly ms: number }
  /** Spikes: with chance `chance` a Pareto-distributed delay from `ms` on; `shape` 1.5 unless given, at most 100 x `ms`. */
  | {
      readonly kind: 'pareto'
      readonly ms: number
      readonly chance: number
      readonly shape?: number
    }

/** What one direction of a simulated link does to datagrams. Chances are from 0 to 1. */
export interface PathOptions {
  /** Base delay in milliseconds. @defaultValue 0 */
  readonly delayMs?: number
  /** Added delay, thrown for each datagram. @defaultValue none */
  readonly jitter?: Jitter
  /** May jitter let a datagram overtake another? @defaultValue true */
  readonly reorder?: boolean
  /** Chance that a datagram is lost, each for itself. @defaultValue 0 */
  readonly loss?: number
  /** Outages in time (Gilbert and Elliott): everything sent during one is lost with chance `loss` (1). Lengths are exponential with these means. */
  readonly burst?: {
    readonly goodMs: number
    readonly badMs: number
    readonly loss?: number
  }
  /** Chance that a datagram arrives twice. It is doubled behind the bottleneck: the second costs no bandwidth. @defaultValue 0 */
  readonly duplicate?: number
  /** Chance that one to three bits of a datagram flip. @defaultValue 0 */
  readonly corrupt?: number
  /** Bandwidth; headers count. @defaultValue none */
  readonly bytesPerSecond?: number
  /** Bytes that may wait for the bandwidth; the rest is dropped at the tail. @defaultValue 65536 */
  readonly queueBytes?: number
  /** Datagrams with a larger payload vanish. @defaultValue none */
  readonly mtu?: number
  /** Spans of time in which everything sent is lost. */
  readonly blackouts?: readonly { readonly fromMs: number; readonly toMs: number }[]
  /** Bytes of lower headers that count for each datagram: 28 for IPv4 and UDP. @defaultValue 28 */
  readonly overheadBytes?: number
  /** Arrival times are rounded down to this grid; 0 is none. @defaultValue 1 */
  readonly tickMs?: number
}

/** What one direction has carried. */
export interface PathCounters {
  /** Datagrams sent, and their bytes with lower headers. */
  datagrams: number
  bytes: number
  arrived: number
  lost: number
  duplicated: number
  corrupted: number
  /** Dropped because the queue was full. */
  overQueue: number
  /** Larger than the MTU. */
  tooLarge: number
  /** Sent during a blackout, or to an address that is no more. */
  unreachable: number
}

/** One arrival: when, and with which bits flipped. */
export interface Arrival {
  readonly atMs: number
  readonly flips: readonly number[]
}

// Each effect has a throw of its own, so that switching one on leaves the others as they were.
const LOSS = 0
const BURST = 1
const JITTER = 2
const DUPLICATE = 5
const DUPLICATE_JITTER = 6
const CORRUPT = 9

/** One direction of a link: decides for each datagram when it arrives, if ever. */
export class Path {
  readonly counters: PathCounters = {
    datagrams: 0,
    bytes: 0,
    arrived: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    overQueue: 0,
    tooLarge: 0,
    unreachable: 0,
  }
  readonly #options: PathOptions
  readonly #dice: Dice
  readonly #periods: () => number
  #timeMs = -1
  #index = 0
  #freeAtMs = 0
  #lastArrivalMs = 0
  #isBad = false
  #periodEndsMs = 0

  constructor(seed: number, stream: number, options: PathOptions) {
    checkPath(options)
    this.#options = options
    this.#dice = new Dice(seed, stream)
    this.#periods = sequence(seed * 2 + stream + 0x51_7c_c1)
    if (options.burst !== undefined) this.#periodEndsMs = this.#period(options.burst.goodMs)
  }

  /** The fate of a datagram of `length` bytes sent now: no arrival, one or two. */
  send(nowMs: number, length: number): Arrival[] {
    const { options, counters, dice } = {
      options: this.#options,
      counters: this.counters,
      dice: this.#dice,
    }
    const tick = Math.floor(nowMs)
    this.#index = tick === this.#timeMs ? this.#index + 1 : 0
    this.#timeMs = tick
    dice.at(tick, this.#index)
    const bytes = length + (options.overheadBytes ?? 28)
    counters.datagrams += 1
    counters.bytes += bytes

    if (length > (options.mtu ?? Infinity)) {
      counters.tooLarge += 1
      return []
    }
    if (options.blackouts?.some(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs) === true) {
      counters.unreachable += 1
      return []
    }
    let leavesAtMs = nowMs
    if (options.bytesPerSecond !== undefined) {
      const perMs = options.bytesPerSecond / 1000
      const waiting = Math.max(0, this.#freeAtMs - nowMs) * perMs
      if (waiting + bytes > (options.queueBytes ?? 65_536)) {
        counters.overQueue += 1
        return []
      }
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes / perMs
      leavesAtMs = this.#freeAtMs
    }
    if (dice.throw(LOSS) < (options.loss ?? 0) || this.#isLostInBurst(nowMs)) {
      counters.lost += 1
      return []
    }
    const arrivals = [this.#arrival(leavesAtMs, JITTER, length)]
    if (dice.throw(DUPLICATE) < (options.duplicate ?? 0)) {
      counters.duplicated += 1
      arrivals.push(this.#arrival(leavesAtMs, DUPLICATE_JITTER, length))
    }
    return arrivals
  }

  #arrival(leavesAtMs: number, jitterThrow: number, length: number): Arrival {
    const { delayMs = 0, reorder = true, tickMs = 1 } = this.#options
    let atMs = leavesAtMs + delayMs + this.#jitter(jitterThrow)
    if (tickMs > 0) atMs = Math.floor(atMs / tickMs) * tickMs
    if (!reorder) atMs = Math.max(atMs, this.#lastArrivalMs)
    this.#lastArrivalMs = atMs
    return { atMs, flips: this.#flips(jitterThrow, length) }
  }

  #jitter(first: number): number {
    const { jitter } = this.#options
    if (jitter === undefined) return 0
    const a = this.#dice.throw(first)
    if (jitter.kind === 'uniform') return a * jitter.ms
    const b = this.#dice.throw(first + 1)
    if (jitter.kind === 'normal')
      return Math.abs(Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b)) * jitter.ms
    if (a >= jitter.chance) return 0
    return Math.min(jitter.ms / (1 - b) ** (1 / (jitter.shape ?? 1.5)), jitter.ms * 100)
  }

  #flips(jitterThrow: number, length: number): number[] {
    const dice = this.#dice
    const first = CORRUPT + (jitterThrow === JITTER ? 0 : 5)
    if (length === 0 || dice.throw(first) >= (this.#options.corrupt ?? 0)) return []
    this.counters.corrupted += 1
    const count = 1 + Math.floor(dice.throw(first + 1) * 3)
    const bits = length * 8
    const flips: number[] = []
    while (flips.length < count) {
      let bit = Math.floor(dice.throw(first + 2 + flips.length) * bits)
      // Flipped twice it would be as it was.
      while (flips.includes(bit)) bit = (bit + 1) % bits
      flips.push(bit)
    }
    return flips
  }

  #isLostInBurst(nowMs: number): boolean {
    const { burst } = this.#options
    if (burst === undefined) return false
    while (this.#periodEndsMs <= nowMs) {
      this.#isBad = !this.#isBad
      this.#periodEndsMs += this.#period(this.#isBad ? burst.badMs : burst.goodMs)
    }
    return this.#isBad && this.#dice.throw(BURST) < (burst.loss ?? 1)
  }

  #period(meanMs: number): number {
    return -Math.log(1 - this.#periods()) * meanMs
  }
}

function checkPath(options: PathOptions): void {
  for (const name of ['loss', 'duplicate', 'corrupt'] as const) {
    const chance = options[name] ?? 0
    if (!(chance >= 0 && chance <= 1))
      throw new RangeError(`${name} is a chance from 0 to 1, not ${chance}`)
  }
  for (const name of ['delayMs', 'tickMs', 'queueBytes', 'overheadBytes', 'mtu'] as const) {
    const value = options[name] ?? 0
    if (!(value >= 0)) throw new RangeError(`${name} is a number from 0, not ${value}`)
  }
  if (!((options.bytesPerSecond ?? 1) > 0))
    throw new RangeError(`bytesPerSecond is a number above 0, not ${options.bytesPerSecond}`)
}
