import { whole, type KcpSocketOptions } from './options.ts'

/** One of several processes that share a port by `reusePort`. */
export interface KcpWorker {
  /** 0 to `count` - 1. */
  readonly index: number
  readonly count: number
  /** Takes a datagram of another worker's session, to hand to that one's `listener.deliver`. */
  readonly forward: (worker: number, datagram: Uint8Array, address: string, port: number) => void
  /**
   * Datagrams handed to `forward` a second, a tenth of them at once. Which of them are of a session only the
   * other worker can tell, so a flood of forged ones goes there too, as far as this lets it. @defaultValue 10000
   */
  readonly maxForwardsPerSecond?: number
}

export interface KcpListenOptions extends KcpSocketOptions {
  /** @defaultValue '0.0.0.0' */
  readonly host?: string
  /** 0 takes a free one. */
  readonly port: number
  /** Lets several processes bind this port (Linux and BSD, Node 22.12 or later). @defaultValue false */
  readonly reusePort?: boolean
  /** Which of those this is: sessions of clients whose address changes may arrive at another. */
  readonly worker?: KcpWorker
  /** Asked before a session is made for an address that has been proven. @defaultValue everyone */
  readonly allow?: (address: string, port: number) => boolean
  /** Sessions at one time. @defaultValue 16384 */
  readonly maxSessions?: number
  /** Sessions of one IPv4 address, or of one /64 of IPv6, at one time. @defaultValue 256 */
  readonly maxSessionsPerAddress?: number
  /** Answers to first hellos a second, from whomever; a tenth of them at once; each costs a small datagram. @defaultValue 5000 */
  readonly maxRetriesPerSecond?: number
  /** Handshakes a second of one network, /24 or /56, with its address proven. @defaultValue 100 */
  readonly maxHandshakesPerSecond?: number
  /**
   * Milliseconds by which clients may delay acknowledgements while this process is busy, so that they go with
   * their next message and not by themselves, 0 to 1000; what is lost meanwhile is sent again so much later.
   * 0 asks for each at once, always. @defaultValue 100
   */
  readonly maxAckDelayMs?: number
  /** Closes the listener and its sessions. */
  readonly signal?: AbortSignal | undefined
}

export type ResolvedLimits = Required<
  Pick<
    KcpListenOptions,
    | 'maxSessions'
    | 'maxSessionsPerAddress'
    | 'maxRetriesPerSecond'
    | 'maxHandshakesPerSecond'
    | 'maxAckDelayMs'
  >
>

/** Of `maxAckDelayMs`, whoever names it. */
export const MAX_ACK_DELAY_MS = 1000
/** Of a worker. */
export const DEFAULT_FORWARDS_PER_SECOND = 10_000

const LIMITS: ResolvedLimits = {
  maxSessions: 16_384,
  maxSessionsPerAddress: 256,
  maxRetriesPerSecond: 5000,
  maxHandshakesPerSecond: 100,
  maxAckDelayMs: 100,
}

/** @throws RangeError naming the option that is out of range. */
export function resolveLimits(options: KcpListenOptions): ResolvedLimits {
  const limits = { ...LIMITS }
  for (const field of Object.keys(limits) as (keyof ResolvedLimits)[]) {
    limits[field] = options[field] ?? limits[field]
    whole(limits, field, 0, field === 'maxAckDelayMs' ? MAX_ACK_DELAY_MS : 2 ** 31)
  }
  const { worker } = options
  if (worker !== undefined) {
    whole(worker, 'count', 1, 4096)
    whole(worker, 'index', 0, worker.count - 1)
    if (worker.maxForwardsPerSecond !== undefined) whole(worker, 'maxForwardsPerSecond', 0, 2 ** 31)
  }
  return limits
}
