import { CongestionWindow } from './congestion.ts'
import { IKCP_CMD_PUSH, IKCP_RTO_MAX, IKCP_WND_RCV } from './constants.ts'
import type { DatagramWriter } from './datagram-writer.ts'
import { LinkWatch } from './link-watch.ts'
import type { KcpOptions } from './options.ts'
import { RtoEstimator } from './rto.ts'
import type { SegmentPool } from './segment-pool.ts'
import {
  ACKED,
  FASTACK,
  FRG,
  LENGTH,
  OFFSET,
  RECORD_BITS,
  RESENDTS,
  RTO,
  SendBuffer,
  TS,
  XMIT,
} from './send-buffer.ts'
import { serialDiff } from './serial.ts'
import type { KcpStats } from './stats.ts'

/** The sending half: numbers segments, learns from acknowledgements, and decides what is sent and when again. */
export class Sender {
  readonly buffer: SendBuffer
  readonly rto: RtoEstimator = new RtoEstimator()
  readonly congestion: CongestionWindow
  readonly watch: LinkWatch
  nodelay = 0
  interval = 100
  resend = 0
  nc = false
  /** The other end can hardly keep up: the congestion window counts, whatever `nc` says. */
  isCongested = false
  sndWnd: number
  /** How much longer than round trips show the peer may take to acknowledge. */
  ackDelayMs = 0
  /** The peer's free window as it last said. */
  rmtWnd: number
  /** Something in flight is due before its timeout, as it has enough later acknowledgements. */
  fastDue = false
  /** The fragment number of the newest numbered segment: above 0, a message is partly on its way. */
  lastFrg = 0
  readonly #stats: KcpStats
  readonly #fastlimit: number
  /** Round trips are read from what was sent since. */
  #rttFromMs: number
  /** The earliest resend time of what is in flight, or earlier. */
  #nextResend = 0
  /** Due as `fastDue`, at the next flush whenever that is: the original keeps the count of a segment over its timeout. */
  #fastLater = false
  /** What was oldest in flight when the peer's window last opened. */
  #openedUna: number | undefined

  constructor(pool: SegmentPool, options: KcpOptions, mss: number, stats: KcpStats) {
    this.buffer = new SendBuffer(pool, (options.initialSn ?? 0) | 0)
    this.congestion = new CongestionWindow(mss)
    this.watch = new LinkWatch(options)
    this.#stats = stats
    this.sndWnd = options.sndWnd ?? 32
    this.rmtWnd = Math.min(IKCP_WND_RCV, options.peerRcvWnd ?? IKCP_WND_RCV)
    this.#fastlimit = options.fastlimit ?? 5
    this.#rttFromMs = (options.nowMs ?? 0) | 0
  }

  /** Segments that have as many later acknowledgements already are due. */
  setResend(resend: number): void {
    this.resend = resend
    if (this.buffer.inFlight > 0) this.fastDue = true
  }

  /**
   * The peer has room again: what was sent again into its closed window, ever later, goes soon. Once until something is
   * acknowledged, as a peer that opens and closes it all the time would have all of it again each time.
   */
  windowOpened(now: number): void {
    if (this.#openedUna === this.buffer.una) return
    this.#openedUna = this.buffer.una
    this.resendSoon(now)
  }

  /** What was last sent a timeout ago or earlier is due now, what was sent since after one: all waits for longer ones end. */
  resendSoon(now: number): void {
    const { buffer } = this
    const { records } = buffer
    const rto = Math.min(this.rto.rxRto + this.ackDelayMs, IKCP_RTO_MAX)
    for (let sn = buffer.una; sn !== buffer.nxt; sn = (sn + 1) | 0) {
      const record = buffer.at(sn)
      if (records[record + LENGTH] === ACKED || records[record + XMIT]! < 2) continue
      const due = (records[record + TS]! + rto) | 0
      const resendts = serialDiff(due, now) > 0 ? due : now
      if (serialDiff(resendts, records[record + RESENDTS]!) >= 0) continue
      records[record + RTO] = rto
      records[record + RESENDTS] = resendts
      if (serialDiff(this.#nextResend, resendts) > 0) this.#nextResend = resendts
    }
  }

  /** How many segments may be in flight. */
  window(): number {
    const window = Math.min(this.sndWnd, this.rmtWnd)
    return this.nc && !this.isCongested ? window : Math.min(window, this.congestion.cwnd)
  }

  /** New segments may go, or something must go again before its timeout. */
  get isDue(): boolean {
    const { buffer } = this
    return this.fastDue || (buffer.nxt !== buffer.end && buffer.inFlight < this.window())
  }

  /** Milliseconds until something in flight is due, or its link dead; `Infinity` when nothing is in flight. */
  wait(now: number): number {
    const { buffer } = this
    if (buffer.una === buffer.nxt) return Infinity
    return Math.min(serialDiff(this.#nextResend, now), this.watch.patience(now))
  }

  /** The peer chooses the `ts` it echoes: one from before the conversation, or of a minute ago, is no round trip. */
  sampleRtt(ts: number, now: number): void {
    const rtt = serialDiff(now, ts)
    // How long it has lasted may be more than a serial difference can tell.
    const ageMs = (now - this.#rttFromMs) >>> 0
    if (rtt < 0 || rtt > IKCP_RTO_MAX || rtt > ageMs) return
    this.rto.sample(rtt, this.interval)
  }

  /** Forgets what was measured: what was sent before `now` tells nothing any more. */
  resetPath(now: number, mss: number): void {
    this.#rttFromMs = now
    this.rto.reset()
    this.congestion.reset(mss)
  }

  /** Counts, once a datagram, a later acknowledgement for each segment sent no later than the acknowledged one. */
  countFastack(maxack: number, latestTs: number): void {
    const { buffer } = this
    if (serialDiff(maxack, buffer.una) < 0 || serialDiff(maxack, buffer.nxt) >= 0) return
    const { records } = buffer
    for (let sn = buffer.una; sn !== maxack; sn = (sn + 1) | 0) {
      const record = buffer.at(sn)
      if (records[record + LENGTH] === ACKED || serialDiff(latestTs, records[record + TS]!) < 0)
        continue
      const fastack = records[record + FASTACK]! + 1
      records[record + FASTACK] = fastack
      if (fastack >= this.resend && this.#isFastAllowed(records[record + XMIT]!))
        this.fastDue = true
    }
  }

  /** Writes new segments and resends; `wnd` is the room of the receiving half. */
  flush(now: number, wnd: number, mss: number, writer: DatagramWriter): void {
    const { buffer } = this
    if (buffer.una === buffer.nxt) this.watch.progressed(now)
    const firstNew = buffer.nxt
    this.#numberNew()
    let fastResends = 0
    let timeoutResends = 0
    let segmentsOut = 0
    let from = firstNew
    if (this.fastDue || this.#fastLater || serialDiff(now, this.#nextResend) >= 0) {
      from = buffer.una
      this.fastDue = false
      this.#fastLater = false
    }
    const isWalkingAll = from === buffer.una
    const { records, blocks, mask } = buffer
    const rto = Math.min(this.rto.rxRto + this.ackDelayMs, IKCP_RTO_MAX)
    const firstDelay = this.nodelay === 0 ? Math.min(rto + (rto >> 3), IKCP_RTO_MAX) : rto
    let nextResend = 0
    let hasNext = false
    for (let sn = from; sn !== buffer.nxt; sn = (sn + 1) | 0) {
      const record = (sn & mask) << RECORD_BITS
      const length = records[record + LENGTH]!
      if (length === ACKED) continue
      const xmit = records[record + XMIT]!
      const isLate = xmit > 0 && serialDiff(now, records[record + RESENDTS]!) >= 0
      const hasLaterAcks = records[record + FASTACK]! >= this.resend
      const isDue = xmit === 0 || isLate || (hasLaterAcks && this.#isFastAllowed(xmit))
      // It may throw, and what was not sent must not look as if it had been.
      if (isDue) writer.reserve(length)
      if (xmit === 0) {
        records[record + RTO] = rto
        records[record + RESENDTS] = (now + firstDelay) | 0
      } else if (isLate) {
        const later = this.#backOff(records[record + RTO]!, rto)
        records[record + RTO] = later
        records[record + RESENDTS] = (now + later) | 0
        timeoutResends += 1
        if (hasLaterAcks && this.#isFastAllowed(xmit + 1)) this.#fastLater = true
      } else if (isDue) {
        records[record + FASTACK] = 0
        records[record + RESENDTS] = (now + records[record + RTO]!) | 0
        fastResends += 1
      }
      const resendts = records[record + RESENDTS]!
      if (!hasNext || serialDiff(nextResend, resendts) > 0) {
        hasNext = true
        nextResend = resendts
      }
      if (!isDue) continue
      records[record + XMIT] = xmit + 1
      records[record + TS] = now
      const head = IKCP_CMD_PUSH | (records[record + FRG]! << 8) | (wnd << 16)
      writer.write(head, now, sn, length, blocks[sn & mask], records[record + OFFSET]!)
      segmentsOut += 1
    }
    writer.send()
    if (hasNext && (isWalkingAll || serialDiff(this.#nextResend, nextResend) > 0))
      this.#nextResend = nextResend
    const stats = this.#stats
    stats.segmentsOut += segmentsOut
    stats.fastResends += fastResends
    stats.timeoutResends += timeoutResends
    this.#settle(fastResends, timeoutResends, mss)
  }

  /** Lets as many waiting segments into flight as the windows take. */
  #numberNew(): void {
    const { buffer } = this
    const limit = (buffer.una + this.window()) | 0
    const room = serialDiff(limit, buffer.nxt)
    if (room <= 0 || buffer.queued === 0) return
    buffer.nxt = (buffer.nxt + Math.min(room, buffer.queued)) | 0
    this.lastFrg = buffer.records[buffer.at((buffer.nxt - 1) | 0) + FRG]!
  }

  /** Tells congestion control and the watch what a flush had to send again. */
  #settle(fastResends: number, timeoutResends: number, mss: number): void {
    const { congestion } = this
    const priorCwnd = congestion.cwnd
    if (fastResends + timeoutResends > 0) this.watch.resent()
    if (fastResends > 0) congestion.fastResent(this.buffer.inFlight, this.resend, mss)
    if (timeoutResends > 0) congestion.timedOut(priorCwnd, mss)
    congestion.settle(mss)
  }

  #isFastAllowed(xmit: number): boolean {
    return this.resend > 0 && (this.#fastlimit === 0 || xmit <= this.#fastlimit)
  }

  #backOff(segmentRto: number, rto: number): number {
    let later = segmentRto
    if (this.nodelay === 0) later += Math.max(segmentRto, rto)
    else if (this.nodelay === 1) later += segmentRto >> 1
    else later += rto >> 1
    return Math.min(later, IKCP_RTO_MAX)
  }
}
