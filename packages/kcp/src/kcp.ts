import { AckList } from './ack-list.ts'
import {
  IKCP_ASK_SEND,
  IKCP_ASK_TELL,
  IKCP_CMD_ACK,
  IKCP_CMD_PUSH,
  IKCP_CMD_WASK,
  IKCP_CMD_WINS,
  IKCP_OVERHEAD,
  IKCP_PROBE_LIMIT,
  IKCP_WND_RCV,
  MAX_DATAGRAM_BYTES,
  MAX_FRAGMENTS,
} from './constants.ts'
import { copyBytes } from './copy.ts'
import { DatagramWriter, type KcpOutput } from './datagram-writer.ts'
import { checkOption, checkOptions, type KcpOptions } from './options.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { fragmentsOf, queueCut, recut } from './recut.ts'
import { type Block, SegmentPool } from './segment-pool.ts'
import { Sender } from './sender.ts'
import type { SendBuffer } from './send-buffer.ts'
import { serialDiff } from './serial.ts'
import { emptyStats, type KcpStats } from './stats.ts'
import { WindowProbe } from './window-probe.ts'

export type { KcpOutput } from './datagram-writer.ts'
export type { KcpStats } from './stats.ts'

/** So many acknowledgements are worth a datagram of their own: what comes is no trickle. */
const MAX_HELD_ACKS = 8

/**
 * One end of a KCP conversation: a state machine without socket, timer or clock. It takes datagrams by `input`,
 * messages by `send`, and the time with each call; it gives datagrams to `output`, messages by `receive`, and by
 * `nextDeadline` the time at which it next wants `flush`.
 */
export class Kcp {
  readonly stats: KcpStats = emptyStats()
  /**
   * Acknowledgements may wait until something else goes: `nextDeadline` leaves them out while there are few and
   * nothing is missing, and the round trip that the other end reads from them does not contain their wait. Only
   * for a peer that waits as long before it sends again: see `ackDelayMs`.
   */
  holdsAcks = false
  readonly #conv: number
  readonly #writer: DatagramWriter
  readonly #pool: SegmentPool
  readonly #sender: Sender
  /** The sender's. */
  readonly #snd: SendBuffer
  readonly #rcv: ReceiveBuffer
  readonly #acks: AckList = new AckList()
  /** When the newest segment to acknowledge came. */
  #pushedMs = 0
  readonly #probe: WindowProbe
  readonly #headroom: number
  readonly #tailroom: number
  readonly #maxWaitSnd: number
  readonly #ackAll: boolean
  /** How much later than the one before the `ts` of an acknowledgement is to be, to count. */
  readonly #laterMs: 0 | 1
  #mtu: number
  #mss: number
  #stream: boolean
  #rcvWnd: number
  #peerWnd: number
  #peerWndKnown: boolean
  #state: 0 | -1 | -2 = 0
  #isReleased = false
  #busy = false

  /** @throws RangeError when an option is outside its range, or `conv` is not 1 to 2^32-1 (0 is reserved). */
  constructor(conv: number, output: KcpOutput, options: KcpOptions = {}) {
    if (!Number.isInteger(conv) || conv < 1 || conv > 0xff_ff_ff_ff)
      throw new RangeError(`conv is a whole number from 1 to 2^32-1, not ${conv}`)
    checkOptions(options)
    this.#conv = conv | 0
    this.#writer = new DatagramWriter(this.#conv, output, this.stats)
    this.#mtu = options.mtu ?? 1400
    this.#mss = this.#mtu - IKCP_OVERHEAD
    this.#headroom = options.headroomBytes ?? 0
    this.#tailroom = options.tailroomBytes ?? 0
    this.#pool = options.pool ?? new SegmentPool()
    this.#sender = new Sender(this.#pool, options, this.#mss, this.stats)
    this.#snd = this.#sender.buffer
    this.#rcv = new ReceiveBuffer(this.#pool, (options.initialSn ?? 0) | 0)
    const { probeInitMs = 500, probeLimitMs = IKCP_PROBE_LIMIT } = options
    this.#probe = new WindowProbe(probeInitMs, probeLimitMs)
    this.#stream = options.stream ?? false
    this.#rcvWnd = options.rcvWnd ?? IKCP_WND_RCV
    this.#peerWnd = options.peerRcvWnd ?? IKCP_WND_RCV
    this.#peerWndKnown = options.peerRcvWnd !== undefined
    this.#maxWaitSnd = options.maxWaitSnd ?? 16_384
    this.#ackAll = options.ackAll ?? false
    this.#laterMs = options.laterTicksOnly === true ? 1 : 0
    this.setNoDelay(options.nodelay ?? 0, options.interval ?? 100, options.resend ?? 0, options.nc)
  }

  get conv(): number {
    return this.#conv >>> 0
  }
  get mtu(): number {
    return this.#mtu
  }
  /** Payload bytes of a full segment. */
  get mss(): number {
    return this.#mss
  }
  get sndUna(): number {
    return this.#snd.una >>> 0
  }
  get sndNxt(): number {
    return this.#snd.nxt >>> 0
  }
  get rcvNxt(): number {
    return this.#rcv.nxt >>> 0
  }
  get sndWnd(): number {
    return this.#sender.sndWnd
  }
  get rcvWnd(): number {
    return this.#rcvWnd
  }
  /** The peer's free window as it last said. */
  get rmtWnd(): number {
    return this.#sender.rmtWnd
  }
  get cwnd(): number {
    return this.#sender.congestion.cwnd
  }
  get ssthresh(): number {
    return this.#sender.congestion.ssthresh
  }
  get rxSrtt(): number {
    return this.#sender.rto.rxSrtt
  }
  get rxRttvar(): number {
    return this.#sender.rto.rxRttvar
  }
  get rxRto(): number {
    return this.#sender.rto.rxRto
  }
  /** There are acknowledgements to send, held or not. */
  get hasAcks(): boolean {
    return this.#acks.count > 0
  }
  /** Milliseconds by which the other end may hold its acknowledgements: resends wait so much longer. */
  get ackDelayMs(): number {
    return this.#sender.ackDelayMs
  }
  set ackDelayMs(ms: number) {
    this.#sender.ackDelayMs = ms
  }
  /** The other end can hardly keep up: the congestion window counts, whatever `nc` says. */
  get isCongested(): boolean {
    return this.#sender.isCongested
  }
  set isCongested(isCongested: boolean) {
    this.#sender.isCongested = isCongested
  }
  get stream(): boolean {
    return this.#stream
  }
  /** 0 alive; -1 dead link; -2 the peer sent a message that no window could hold. */
  get state(): 0 | -1 | -2 {
    return this.#state
  }
  /** Segments waiting to be sent or acknowledged (`ikcp_waitsnd`; acknowledged ones behind a hole count). */
  get waitSnd(): number {
    return serialDiff(this.#snd.end, this.#snd.una)
  }
  /** Payload bytes waiting to be sent or acknowledged. */
  get waitSndBytes(): number {
    return this.#snd.bytes
  }
  /** Payload bytes that have arrived and wait for `receive`, those behind a hole too. */
  get waitRcvBytes(): number {
    return this.#rcv.bytes
  }
  /** The largest message that `send` takes, by the peer's window and the MTU. In stream mode, what one call may take. */
  get maxMessageBytes(): number {
    return this.#mss * (this.#stream ? this.#maxWaitSnd : this.#maxFragments())
  }

  /**
   * Queues one message (or, in stream mode, bytes); copied before return, all of it or nothing.
   *
   * @returns The bytes taken, or -2: more than `maxMessageBytes`; -3: `maxWaitSnd` would be passed; -4: the conversation is over.
   */
  send(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): number {
    this.#enter()
    if (offset < 0 || length < 0 || offset + length > bytes.length)
      throw new RangeError(`bytes ${offset} to ${offset + length} of ${bytes.length}`)
    if (this.#state !== 0) return -4
    const filled = this.#stream ? Math.min(length, this.#snd.room(this.#mss)) : 0
    const rest = length - filled
    if (this.#stream && rest === 0) {
      if (filled > 0) this.#snd.extend(bytes, offset, filled)
      return length
    }
    const count = fragmentsOf(rest, this.#mss)
    if (!this.#stream && count > this.#maxFragments()) return -2
    if (this.waitSnd + count > this.#maxWaitSnd) return -3
    if (filled > 0) this.#snd.extend(bytes, offset, filled)
    queueCut(this.#snd, bytes, offset + filled, rest, this.#mss, this.#stream)
    return length
  }

  /** Size of the next whole message, or -1. */
  peekSize(): number {
    return this.#rcv.peekSize()
  }

  /**
   * Takes the next whole message into `target`; in stream mode, as many whole segments as fit.
   *
   * @returns Its size, or -1: none; -2: its end is still to come; -3: `target` is too small.
   */
  receive(target: Uint8Array, offset = 0): number {
    const rcv = this.#rcv
    const size = rcv.peekSize()
    if (size < 0) return rcv.queued === 0 ? -1 : -2
    if (size > target.length - offset) return -3
    const wasFull = rcv.queued >= this.#rcvWnd
    let end = rcv.take(target, offset)
    if (this.#stream) {
      for (
        let next = rcv.peekSize();
        next >= 0 && next <= target.length - end;
        next = rcv.peekSize()
      )
        end = rcv.take(target, end)
    }
    rcv.advance(this.#rcvWnd)
    if (wasFull && rcv.queued < this.#rcvWnd) this.#probe.tell()
    return end - offset
  }

  /**
   * Applies one datagram, whole or not at all.
   *
   * @param recovered - The datagram came late out of error correction: no window and no round trip is read from it.
   * @returns 0, or -1: too short, too long, another conversation, or none any more; -2: a length beyond the end; -3: unknown command;
   *   -4: `una` acknowledges what was never sent; -5: a message that no window could hold.
   */
  input(
    bytes: Uint8Array,
    offset: number,
    length: number,
    nowMs: number,
    recovered = false,
  ): number {
    this.#enter()
    if (offset < 0 || offset + length > bytes.length)
      throw new RangeError(`bytes ${offset} to ${offset + length} of ${bytes.length}`)
    if (length < IKCP_OVERHEAD || length > MAX_DATAGRAM_BYTES || this.#isReleased) {
      this.stats.refused += 1
      return -1
    }
    const packet = this.#pool.takePassing(length)
    copyBytes(bytes, offset, length, packet.bytes, 0)
    const refusal = this.#validate(packet.view, length)
    if (refusal === 0) this.#apply(packet, length, nowMs | 0, recovered)
    else this.stats.refused += 1
    if (packet.references === 0) this.#pool.give(packet)
    return refusal === 0 && this.#state === -2 ? -5 : refusal
  }

  /** Sends what is due: acknowledgements, window questions and answers, new segments, resends. */
  flush(nowMs: number): void {
    this.#enter()
    if (this.#state !== 0) return
    this.#busy = true
    const room = this.#pool.takePassing(this.#headroom + this.#mtu + this.#tailroom)
    let isDone = false
    try {
      this.#flush(room, nowMs | 0)
      isDone = true
    } finally {
      // When output() throws, segments already numbered wait for the next flush.
      if (!isDone) this.#sender.fastDue = true
      this.#busy = false
      this.#pool.give(room)
    }
  }

  /**
   * The time, on the caller's clock, at which `flush` is next due: `nowMs` or earlier when it is due at once,
   * `Infinity` when only a call can make it so: `send`, `input`, `receive`, which opens a window that was full, or one
   * that changes a window, the MTU or `nodelay`.
   */
  nextDeadline(nowMs: number): number {
    if (this.#state !== 0) return Infinity
    const now = nowMs | 0
    const sender = this.#sender
    if (this.#areAcksDue() || this.#probe.pending !== 0 || sender.isDue) return nowMs
    let wait = sender.wait(now)
    if (sender.rmtWnd === 0) wait = Math.min(wait, this.#probe.wait(now))
    // Time is whole milliseconds in here: a wait counts from the start of the current one.
    return wait <= 0 ? nowMs : Math.floor(nowMs) + wait
  }

  /** As `ikcp_nodelay`; what is left out, or negative, stays. */
  setNoDelay(nodelay: number, interval = -1, resend = -1, nc?: boolean): void {
    const sender = this.#sender
    if (nodelay >= 0) {
      sender.nodelay = checkOption('nodelay', nodelay)
      sender.rto.setNoDelay(nodelay)
    }
    if (interval >= 0) sender.interval = checkOption('interval', interval)
    if (resend >= 0) sender.setResend(checkOption('resend', resend))
    if (nc !== undefined) sender.nc = nc
  }

  /**
   * As `ikcp_wndsize`, but that a receive window may be smaller than 128; 0 leaves a window as it is. Both ends keep
   * what they hold when a window gets smaller.
   *
   * @throws RangeError when the receive window of messages would get smaller after the peer was told of it: it may have
   *   cut one into more fragments than would fit.
   */
  setWindowSize(sndWnd: number, rcvWnd = 0): void {
    if (sndWnd !== 0) checkOption('sndWnd', sndWnd)
    if (rcvWnd !== 0) checkOption('rcvWnd', rcvWnd)
    const isSmaller = rcvWnd !== 0 && rcvWnd < this.#rcvWnd
    if (isSmaller && !this.#stream && this.stats.datagramsOut > 0)
      throw new RangeError(`rcvWnd was told to be ${this.#rcvWnd}, and is not ${rcvWnd} any more`)
    if (sndWnd !== 0) this.#sender.sndWnd = sndWnd
    if (rcvWnd === 0) return
    const wasFull = this.#rcv.queued >= this.#rcvWnd
    this.#rcvWnd = rcvWnd
    this.#rcv.advance(rcvWnd)
    if (wasFull && this.#rcv.queued < rcvWnd) this.#probe.tell()
  }

  /** Tells the receive window the peer has, as a handshake learns it: it bounds `maxMessageBytes`. */
  setPeerWindow(peerRcvWnd: number): void {
    this.#peerWnd = checkOption('peerRcvWnd', peerRcvWnd)
    this.#peerWndKnown = true
    if (this.stats.datagramsIn === 0)
      this.#sender.rmtWnd = Math.min(this.#sender.rmtWnd, peerRcvWnd)
  }

  /**
   * Changes the datagram size. What waits is cut anew, what is in flight stays as it was cut.
   *
   * @returns false, and nothing changed, while something in flight is too large for it or a waiting message would
   *   need more fragments than the peer can hold: try again later.
   */
  setMtu(mtu: number): boolean {
    this.#enter()
    checkOption('mtu', mtu)
    const mss = mtu - IKCP_OVERHEAD
    const isCutInMessage = this.#sender.lastFrg > 0
    if (
      mss < this.#mss &&
      !recut(this.#snd, mss, this.#stream, isCutInMessage, this.#maxFragments())
    )
      return false
    this.#mtu = mtu
    this.#mss = mss
    return true
  }

  setStream(on: boolean): void {
    this.#stream = on
  }

  /**
   * Forgets round trip and congestion window, as for a path that is another one from now on: what was sent before
   * tells nothing about it.
   *
   * @see RFC 9000, section 9.4.
   */
  resetPath(nowMs: number): void {
    this.#sender.resetPath(nowMs | 0, this.#mss)
  }

  /** Ends the long waits of what was sent again in vain, as for a path that carried nothing for a while and does again. */
  resendSoon(nowMs: number): void {
    this.#sender.resendSoon(nowMs | 0)
  }

  /** Ends the conversation and gives all its memory back. */
  release(): void {
    this.#enter()
    if (this.#state === 0) this.#state = -1
    this.#isReleased = true
    this.#snd.clear()
    this.#rcv.clear()
    this.#acks.count = 0
  }

  #areAcksDue(): boolean {
    const { count } = this.#acks
    if (!this.holdsAcks) return count > 0
    return count >= MAX_HELD_ACKS || (count > 0 && this.#rcv.hasGap)
  }

  #enter(): void {
    if (this.#busy) throw new Error('output() called back into the conversation that called it')
  }

  #maxFragments(): number {
    return Math.max(1, Math.min(MAX_FRAGMENTS, this.#peerWnd) - 1)
  }

  #validate(view: DataView, end: number): number {
    const { nxt } = this.#snd
    for (let at = 0; end - at >= IKCP_OVERHEAD;) {
      if (view.getInt32(at, true) !== this.#conv) return -1
      const command = view.getUint8(at + 4)
      const length = view.getInt32(at + 20, true)
      if (length < 0 || length > end - at - IKCP_OVERHEAD) return -2
      if (command < IKCP_CMD_PUSH || command > IKCP_CMD_WINS) return -3
      if (serialDiff(view.getInt32(at + 16, true), nxt) > 0) return -4
      if (command === IKCP_CMD_PUSH && view.getUint8(at + 5) >= this.#rcvWnd) return -5
      at += IKCP_OVERHEAD + length
    }
    return 0
  }

  #apply(packet: Block, end: number, now: number, recovered: boolean): void {
    const { view } = packet
    const sender = this.#sender
    const snd = this.#snd
    const unaBefore = snd.una
    const wasClosed = sender.rmtWnd === 0
    let hasProgress = false
    let hasAck = false
    let maxack = 0
    let latestTs = 0
    let largestWnd = 0
    for (let at = 0; end - at >= IKCP_OVERHEAD;) {
      const head = view.getInt32(at + 4, true)
      const ts = view.getInt32(at + 8, true)
      const sn = view.getInt32(at + 12, true)
      const length = view.getInt32(at + 20, true)
      const command = head & 0xff
      const wnd = head >>> 16
      if (!recovered) {
        sender.rmtWnd = wnd
        if (wnd > largestWnd) largestWnd = wnd
      }
      if (snd.shrink(view.getInt32(at + 16, true))) hasProgress = true
      if (command === IKCP_CMD_ACK) {
        // What was never sent cannot be acknowledged.
        if (serialDiff(sn, snd.nxt) < 0) {
          if (!recovered) sender.sampleRtt(ts, now)
          if (snd.ack(sn)) {
            hasProgress = true
            if (sn === snd.una) snd.shrink(sn)
          }
          if (
            !hasAck ||
            (serialDiff(sn, maxack) > 0 && serialDiff(ts, latestTs) >= this.#laterMs)
          ) {
            hasAck = true
            maxack = sn
            latestTs = ts
          }
        }
      } else if (command === IKCP_CMD_PUSH) {
        this.#pushedMs = now
        this.#push(packet, at + IKCP_OVERHEAD, length, (head >> 8) & 0xff, sn, ts)
      } else if (command === IKCP_CMD_WASK) this.#probe.tell()
      at += IKCP_OVERHEAD + length
    }
    this.stats.datagramsIn += 1
    this.stats.bytesIn += end
    if (wasClosed && sender.rmtWnd > 0) sender.windowOpened(now)
    if (hasAck) sender.countFastack(maxack, latestTs)
    // Who has no room now lives, and what is sent again into a closed window is no sign of a dead link.
    if (hasProgress || sender.rmtWnd === 0) sender.watch.progressed(now)
    if (largestWnd > this.#peerWnd || (!this.#peerWndKnown && largestWnd > 0)) {
      this.#peerWnd = largestWnd
      this.#peerWndKnown = true
    }
    if (snd.una !== unaBefore) sender.congestion.acknowledged(sender.rmtWnd, this.#mss)
  }

  #push(packet: Block, at: number, length: number, frg: number, sn: number, ts: number): void {
    const rcv = this.#rcv
    this.stats.segmentsIn += 1
    if (serialDiff(sn, (rcv.nxt + this.#rcvWnd) | 0) >= 0) {
      this.stats.outOfWindow += 1
      return
    }
    // One that came before is acknowledged again: its acknowledgement may have been lost.
    this.#acks.push(sn, ts, rcv.nxt, 64 + 2 * this.#rcvWnd)
    if (serialDiff(sn, rcv.nxt) < 0 || !rcv.store(sn, packet, at, length, frg)) {
      this.stats.duplicates += 1
      return
    }
    rcv.advance(this.#rcvWnd)
    if (rcv.messages === 0 && rcv.queued >= this.#rcvWnd) this.#state = -2
  }

  #flush(room: Block, now: number): void {
    const snd = this.#snd
    const sender = this.#sender
    const wnd = Math.max(0, this.#rcvWnd - this.#rcv.queued)
    const writer = this.#writer
    writer.begin(room, this.#headroom, this.#mtu, this.#rcv.nxt)
    this.#flushControl(now, wnd)
    sender.flush(now, wnd, this.#mss, writer)
    writer.end()
    if (snd.una !== snd.nxt && sender.watch.patience(now) <= 0) this.#state = -1
  }

  /** Writes acknowledgements and what there is to ask and tell about windows. */
  #flushControl(now: number, wnd: number): void {
    const acks = this.#acks
    const writer = this.#writer
    const heldMs = this.holdsAcks ? serialDiff(now, this.#pushedMs) : 0
    let sn = 0
    let ts = 0
    for (let index = 0; index < acks.count; index += 1) {
      const acked = acks.sn(index)
      // `una` covers the others; the last one carries a time.
      const isNeeded =
        this.#ackAll || index === acks.count - 1 || serialDiff(acked, this.#rcv.nxt) >= 0
      if (!isNeeded) continue
      sn = acked
      ts = (acks.ts(index) + heldMs) | 0
      writer.reserve(0)
      writer.write(IKCP_CMD_ACK | (wnd << 16), ts, sn, 0, undefined, 0)
    }
    acks.count = 0

    const probe = this.#probe
    probe.look(now, this.#sender.rmtWnd === 0)
    if ((probe.pending & IKCP_ASK_SEND) !== 0) {
      this.stats.probes += 1
      writer.reserve(0)
      writer.write(IKCP_CMD_WASK | (wnd << 16), ts, sn, 0, undefined, 0)
    }
    if ((probe.pending & IKCP_ASK_TELL) !== 0) {
      writer.reserve(0)
      writer.write(IKCP_CMD_WINS | (wnd << 16), ts, sn, 0, undefined, 0)
    }
    probe.pending = 0
  }
}
