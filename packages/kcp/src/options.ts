import { MAX_DATAGRAM_BYTES, MAX_WND } from './constants.ts'
import type { SegmentPool } from './segment-pool.ts'

/** Everything about one KCP conversation that can be chosen. Names are those of the C original. */
export interface KcpOptions {
  /** The clock at creation, in milliseconds; any monotonic clock, read modulo 2^32. @defaultValue 0 */
  readonly nowMs?: number
  /** 0 normal; 1 minimum RTO 30 ms and backoff x1.5; 2 backoff by half of the RTO. @defaultValue 0 */
  readonly nodelay?: number
  /** Milliseconds, 1 to 5000: the least margin of the RTO over the round trip. @defaultValue 100 */
  readonly interval?: number
  /** Resend after this many datagrams with later acknowledgements; 0 turns fast resend off. @defaultValue 0 */
  readonly resend?: number
  /** Transmissions up to which fast resend acts on a segment; 0 is no limit. @defaultValue 5 */
  readonly fastlimit?: number
  /** `true` turns the congestion window off, as games need. @defaultValue false */
  readonly nc?: boolean
  /** Send window in segments, 1 to 32767. @defaultValue 32 */
  readonly sndWnd?: number
  /** Receive window in segments, 1 to 32767. @defaultValue 128 */
  readonly rcvWnd?: number
  /** Receive window the peer is known to have. Without it, 128 until the peer's datagrams tell. */
  readonly peerRcvWnd?: number
  /** Largest datagram in bytes, KCP headers counted, 50 to 65507. @defaultValue 1400 */
  readonly mtu?: number
  /** Byte stream instead of messages: boundaries are not kept, segments are filled. @defaultValue false */
  readonly stream?: boolean
  /** Segments that may wait or be in flight before `send` refuses. @defaultValue 16384 */
  readonly maxWaitSnd?: number
  /**
   * Milliseconds without any new acknowledgement, while segments are in flight, after which the link is dead; 0 is
   * never. @defaultValue 30000
   */
  readonly deadLinkMs?: number
  /** How often something must have been sent again in vain as well before the link is dead. @defaultValue 4 */
  readonly deadLink?: number
  /** Milliseconds before a closed peer window is asked about, 1 to 120000; each wait is half longer. @defaultValue 500 */
  readonly probeInitMs?: number
  /** Milliseconds, 1 to 120000, that these waits grow to at most. @defaultValue 120000 */
  readonly probeLimitMs?: number
  /** `true` acknowledges every segment as the C original does, even where `una` says it already. @defaultValue false */
  readonly ackAll?: boolean
  /** `true` keeps the first of acknowledgements with one `ts` as the C original does, so that those of a burst sent in one tick do not count for a segment missing among them. @defaultValue false */
  readonly laterTicksOnly?: boolean
  /** First sequence number of both directions. Both ends must agree; plain peers start at 0. @defaultValue 0 */
  readonly initialSn?: number
  /** Free bytes kept before each datagram in the output buffer. @defaultValue 0 */
  readonly headroomBytes?: number
  /** Free bytes kept after each datagram in the output buffer. @defaultValue 0 */
  readonly tailroomBytes?: number
  /** Memory shared with other conversations. @defaultValue a pool of its own */
  readonly pool?: SegmentPool
}

type NumberOption = {
  [K in keyof KcpOptions]-?: KcpOptions[K] extends number | undefined ? K : never
}[keyof KcpOptions]

const RANGES: Readonly<Partial<Record<NumberOption, readonly [lowest: number, highest: number]>>> =
  {
    nodelay: [0, 2],
    interval: [1, 5000],
    resend: [0, MAX_WND],
    fastlimit: [0, MAX_WND],
    sndWnd: [1, MAX_WND],
    rcvWnd: [1, MAX_WND],
    peerRcvWnd: [1, 65_535],
    mtu: [50, MAX_DATAGRAM_BYTES],
    maxWaitSnd: [1, 2 ** 20],
    deadLinkMs: [0, 2 ** 30],
    deadLink: [0, 2 ** 30],
    probeInitMs: [1, 120_000],
    probeLimitMs: [1, 120_000],
    initialSn: [0, 2 ** 32 - 1],
    headroomBytes: [0, 65_536],
    tailroomBytes: [0, 65_536],
  }

/** @throws RangeError naming the option and its range. */
export function checkOption(name: NumberOption, value: number): number {
  const [lowest, highest] = RANGES[name] ?? [-Infinity, Infinity]
  if (!Number.isInteger(value) || value < lowest || value > highest)
    throw new RangeError(`${name} is a whole number from ${lowest} to ${highest}, not ${value}`)
  return value
}

/** @throws RangeError naming the first option that is outside its range. */
export function checkOptions(options: KcpOptions): void {
  for (const name of Object.keys(RANGES) as NumberOption[]) {
    const value = options[name]
    if (value !== undefined) checkOption(name, value)
  }
  if (options.nowMs !== undefined && !Number.isFinite(options.nowMs))
    throw new RangeError(`nowMs is a finite number, not ${options.nowMs}`)
}
