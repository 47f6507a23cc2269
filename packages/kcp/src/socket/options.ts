import { systemClock, type Clock } from '../clock.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { systemRandom, type Random } from '../random.ts'
import { authenticated } from './authenticated.ts'
import type { KcpSecurity } from './cipher.ts'
import { MAX_DATAGRAM_BYTES } from './datagram.ts'
import type { OpenDatagramSocket } from './datagram-socket.ts'
import { MAX_FRAME_BYTES } from './frames.ts'
import { openUdpSocket } from './udp-socket.ts'

/** Every path carries so much; QUIC's floor. */
export const BASE_DATAGRAM_BYTES = 1200

/** Of `idleTimeoutMs`, whoever asks for it. KCP counts no longer times. */
const MIN_IDLE_TIMEOUT_MS = 100
const MAX_IDLE_TIMEOUT_MS = 2 ** 30

/** `fast`: resends early and often, for games. `normal`: less of both, for everything else. */
export type KcpProfile = 'normal' | 'fast'

/** What the profiles stand for. */
export interface KcpTuning {
  /** 0 normal; 1 minimum RTO 30 ms and backoff x1.5; 2 backoff by half of the RTO. */
  readonly nodelay: number
  /** Milliseconds: the floor of the RTO's variance term, and how long delayed writes and acknowledgements wait. */
  readonly interval: number
  /** Resend after this many later acknowledgements; 0 turns fast resend off. */
  readonly resend: number
  /** `true` turns KCP's congestion window off. It collapses on random loss: leave it off for games. */
  readonly nc: boolean
  /** Acknowledge at the end of the turn, not after `interval`. */
  readonly ackNoDelay: boolean
  /** Send after `interval`, not at the end of the turn: fuller datagrams, later. */
  readonly writeDelay: boolean
}

const PROFILES: Readonly<Record<KcpProfile, KcpTuning>> = {
  normal: { nodelay: 0, interval: 40, resend: 2, nc: true, ackNoDelay: false, writeDelay: false },
  fast: { nodelay: 1, interval: 10, resend: 2, nc: true, ackNoDelay: true, writeDelay: false },
}

/** Of every session, at both ends. */
export interface KcpSessionOptions extends Partial<KcpTuning> {
  /** @defaultValue 'fast' */
  readonly profile?: KcpProfile
  /** Segments of about 1.1 KB that may be in flight, 1 to 32767. @defaultValue 256 */
  readonly sndWnd?: number
  /** Segments that are held for a reader who is behind, or until a gap is filled, 1 to 32767. @defaultValue 256 */
  readonly rcvWnd?: number
  /** Largest message accepted. A larger one closes the session. @defaultValue 65536 */
  readonly maxMessageBytes?: number
  /** Bytes waiting to be sent at which the session is reset. @defaultValue 1 MiB */
  readonly maxBufferedBytes?: number
  /** Milliseconds without an authentic datagram after which the other end is gone, 100 to 2^30; the smaller of both ends' counts. @defaultValue 30000 */
  readonly idleTimeoutMs?: number
  /** Milliseconds of silence before a client asks whether the other end is there; keeps NATs open too. @defaultValue 15000 */
  readonly keepaliveMs?: number
  /** Milliseconds a closing session may take to deliver what was sent. @defaultValue 5000 */
  readonly closeTimeoutMs?: number
  /** Largest datagram to find out about, 1200 to 1500; 1200 turns probing off. @defaultValue 1452 */
  readonly maxDatagramBytes?: number
  /** First KCP sequence number; both ends must agree. For tests. @defaultValue 0 */
  readonly initialSn?: number
}

/** What a socket needs, at both ends. */
export interface KcpSocketOptions extends KcpSessionOptions {
  /** How keys are agreed. Both ends must have the same. @defaultValue authenticated() */
  readonly security?: KcpSecurity
  /** Bytes of messages waiting in all sessions of this socket at which the one that adds more is reset. @defaultValue 256 MiB */
  readonly maxTotalBufferedBytes?: number
  /** Room the system is asked for, for sent and for received datagrams. @defaultValue 4 MiB */
  readonly socketBufferBytes?: number
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
  /** Opens the socket, when it is not to be one of `node:dgram`. */
  readonly openSocket?: OpenDatagramSocket
}

export interface ResolvedSocketOptions extends Required<Omit<KcpSocketOptions, 'profile'>> {}

const DEFAULTS = {
  sndWnd: 256,
  rcvWnd: 256,
  maxMessageBytes: 64 * 1024,
  maxBufferedBytes: 1024 * 1024,
  idleTimeoutMs: 30_000,
  keepaliveMs: 15_000,
  closeTimeoutMs: 5000,
  maxDatagramBytes: 1452,
  initialSn: 0,
  maxTotalBufferedBytes: 256 * 1024 * 1024,
  socketBufferBytes: 4 * 1024 * 1024,
}

/** @throws RangeError naming the option that is out of range; TypeError when there is one that none reads. */
export function resolveOptions(options: KcpSocketOptions): ResolvedSocketOptions {
  const { profile = 'fast', ...given } = options
  const tuning = PROFILES[profile]
  if (tuning === undefined) throw new RangeError(`profile must be normal or fast, not ${profile}`)
  const defined = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  )
  const resolved: ResolvedSocketOptions = {
    ...DEFAULTS,
    ...tuning,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    openSocket: openUdpSocket,
    ...defined,
    security: options.security ?? authenticated(),
  }
  if ('secret' in options)
    throw new TypeError('secret belongs into security: authenticated({ secret })')
  whole(resolved, 'nodelay', 0, 2)
  whole(resolved, 'interval', 1, 5000)
  whole(resolved, 'resend', 0, 32_767)
  whole(resolved, 'sndWnd', 1, 32_767)
  whole(resolved, 'rcvWnd', 1, 32_767)
  whole(resolved, 'maxMessageBytes', 1, MAX_FRAME_BYTES)
  whole(resolved, 'maxBufferedBytes', 1, Number.MAX_SAFE_INTEGER)
  whole(resolved, 'idleTimeoutMs', MIN_IDLE_TIMEOUT_MS, MAX_IDLE_TIMEOUT_MS)
  whole(resolved, 'keepaliveMs', 50, 0xffff_ffff)
  whole(resolved, 'closeTimeoutMs', 0, 600_000)
  whole(resolved, 'maxDatagramBytes', BASE_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES)
  whole(resolved, 'initialSn', 0, 0xffff_ffff)
  whole(resolved, 'maxTotalBufferedBytes', 1, Number.MAX_SAFE_INTEGER)
  whole(resolved, 'socketBufferBytes', 1, 2 ** 30)
  return resolved
}

/** The idle timeout of a session: the smaller of both ends' counts, whatever the other end told. */
export const agreedIdleTimeoutMs = (own: number, told: number): number =>
  Math.max(MIN_IDLE_TIMEOUT_MS, Math.min(own, told))

/** @throws RangeError when a field is no whole number within its range. */
export function whole<T>(options: T, field: keyof T & string, least: number, most: number): void {
  const value = options[field]
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
    return
  throw new RangeError(
    `${field} must be a whole number from ${least} to ${most}, not ${String(value)}`,
  )
}
