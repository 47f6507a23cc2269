import { KcpError } from '../errors.ts'
import { Kcp, type KcpStats } from '../kcp.ts'
import type { KcpOptions } from '../options.ts'
import { KCP_CLOSE } from './close-codes.ts'
import { OwnClose, PeerClose, type KcpCloseInfo } from './closes.ts'
import type { Endpoint } from './endpoint.ts'
import type { FrameSink } from './frames.ts'
import { Inbox, type Framing } from './inbox.ts'
import type { KcpTuning } from './options.ts'
import { Outbox } from './outbox.ts'
import type { KcpSession } from './session.ts'
import { WheelEntry } from './wheel.ts'

/** `send` answers `false` from here on. */
const MAX_HIGH_WATER_BYTES = 256 * 1024

/** Who owns a conversation: the session. */
export interface ConversationOwner {
  readonly session: KcpSession
  onMessage(bytes: Uint8Array): void
  onUnreliable(bytes: Uint8Array): void
  onDrain(): void
  onMigrated(): void
  onClosed(info: KcpCloseInfo): void
}

/**
 * One KCP conversation on a socket: queues, flushes, deadlines, and how it ends. What stands around the KCP
 * bytes in a datagram is the subclasses' matter.
 */
export abstract class Conversation extends WheelEntry implements FrameSink {
  readonly endpoint: Endpoint
  readonly kcp: Kcp
  address: string
  port: number
  owner: ConversationOwner | undefined
  state: 'open' | 'closing' | 'closed' = 'open'
  maxMessageBytes: number
  maxBufferedBytes: number
  ackNoDelay: boolean
  writeDelay: boolean
  interval: number
  /** On the list of those to flush after this turn. */
  isDirty = false
  lastHeardMs: number
  lastSentMs: number
  /** How long acknowledgements may wait for something to go with, when the other end is in no hurry. */
  protected maxAckDelayMs = 0
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  #countedBytes = 0
  #lastFlushMs: number
  #wantsDrain = false
  #hasUnread = false
  protected ownClose: OwnClose | undefined
  #peerClose: PeerClose | undefined

  constructor(
    endpoint: Endpoint,
    conv: number,
    peer: { readonly address: string; readonly port: number },
    framing: Framing,
    kcpOptions: KcpOptions,
    nowMs: number,
  ) {
    super()
    const { options } = endpoint
    this.endpoint = endpoint
    endpoint.conversations += 1
    this.address = peer.address
    this.port = peer.port
    this.maxMessageBytes = options.maxMessageBytes
    this.maxBufferedBytes = options.maxBufferedBytes
    this.ackNoDelay = options.ackNoDelay
    this.writeDelay = options.writeDelay
    this.interval = options.interval
    this.lastHeardMs = nowMs
    this.lastSentMs = nowMs
    this.#lastFlushMs = nowMs
    const { nodelay, interval, resend, nc, sndWnd, rcvWnd, initialSn } = options
    this.kcp = new Kcp(conv, (bytes, offset, length) => this.transmit(bytes, offset, length), {
      nowMs,
      ...{ nodelay, interval, resend, nc, sndWnd, rcvWnd, initialSn },
      stream: framing !== 'messages',
      pool: endpoint.pool,
      ...kcpOptions,
    })
    this.#inbox = new Inbox(this.kcp, framing, endpoint.scratch)
    this.#outbox = new Outbox(this.kcp, framing)
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes
  }

  get stats(): KcpStats {
    return this.kcp.stats
  }

  /** Copies the message. `false`: wait for `onDrain`, or it is over. */
  send(message: Uint8Array): boolean {
    checkBytes(message)
    if (this.state !== 'open') return false
    const { length } = message
    const buffered = this.bufferedBytes + length
    const { endpoint } = this
    if (buffered > this.maxBufferedBytes || endpoint.isTooMuch(buffered, length)) {
      const reason = `${buffered} bytes wait for ${this.address} ${this.port}`
      this.destroy(KCP_CLOSE.slowReader, reason, new KcpError('KCP_SLOW_READER', reason))
      return false
    }
    if (!this.#outbox.push(message)) return this.#refuseToSend(message)
    this.#count()
    if (this.writeDelay) this.#flushAfterInterval()
    else endpoint.turns.flushSoon(this)
    if (buffered < MAX_HIGH_WATER_BYTES && buffered * 2 < this.maxBufferedBytes) return true
    this.#wantsDrain = true
    return false
  }

  abstract sendUnreliable(message: Uint8Array): boolean
  abstract get maxUnreliableBytes(): number

  /** Delivers what was sent, tells the other end, and ends. */
  close(code: number, reason: string): void {
    // Who closes wants no more of what came before the other end did.
    if (this.#peerClose !== undefined) this.finish(this.#peerClose.info)
    this.#beginClose({ code, reason, by: 'local' })
  }

  /** Ends at once; what was not delivered is lost. */
  abstract destroy(code: number, reason: string, error: KcpError): void

  pause(): void {
    this.#inbox.isPaused = true
  }

  resume(): void {
    if (!this.#inbox.isPaused) return
    this.#inbox.isPaused = false
    this.endpoint.turns.flushSoon(this)
  }

  setWindowSize(sndWnd: number, rcvWnd: number): void {
    this.kcp.setWindowSize(sndWnd, rcvWnd)
    if (this.state !== 'closed') this.endpoint.turns.flushSoon(this)
  }

  setTuning(tuning: Partial<KcpTuning>): void {
    const { nodelay = -1, interval = -1, resend = -1, nc } = tuning
    this.kcp.setNoDelay(nodelay, interval, resend, nc)
    if (interval >= 0) this.interval = interval
    this.ackNoDelay = tuning.ackNoDelay ?? this.ackNoDelay
    this.writeDelay = tuning.writeDelay ?? this.writeDelay
  }

  /** For the endpoint: sends what is due, hands out what has come, and plans what is next. */
  flush(nowMs: number): void {
    if (this.state === 'closed') return
    try {
      if (this.#hasUnread) this.read()
    } finally {
      // Also when a listener throws.
      if (this.#peerClose !== undefined) this.#finishWhenRead(this.#peerClose, nowMs)
      else if (!this.isOver()) this.#send(nowMs)
    }
  }

  #send(nowMs: number): void {
    this.#outbox.feed()
    // Who is busy answers late: to send again before that would make it busier.
    this.kcp.ackDelayMs = this.kcp.holdsAcks ? this.maxAckDelayMs : this.endpoint.ackDelayMs
    this.kcp.flush(nowMs)
    this.#lastFlushMs = nowMs
    this.#count()
    try {
      this.#tellDrained()
      if (!this.isOver()) this.onFlushed(nowMs)
    } finally {
      // The owner may have ended it in one of these calls.
      if (!this.isOver()) {
        if (this.kcp.state === 0) this.plan(nowMs)
        else this.#giveUp()
      }
    }
  }

  override onDue(nowMs: number): void {
    if (this.isOver()) return
    const peerClose = this.#peerClose
    if (peerClose !== undefined) {
      if (nowMs >= peerClose.readByMs) this.finish(peerClose.unread())
      else this.endpoint.turns.wheel.set(this, peerClose.readByMs)
      return
    }
    this.onTick(nowMs)
    if (this.isOver() || this.isDirty) return
    if (this.kcpDueMs(nowMs) <= nowMs) this.flush(nowMs)
    else this.plan(nowMs)
  }

  /** The owner takes more messages. */
  get isReading(): boolean {
    return !this.#inbox.isPaused && this.state !== 'closed'
  }

  onFrame(bytes: Uint8Array): void {
    if (this.state === 'open' || this.#peerClose !== undefined) this.owner?.onMessage(bytes)
  }

  onBadFrame(problem: 'tooLarge' | 'malformed', length: number): void {
    if (problem === 'tooLarge') {
      this.#refuseLarge(length)
      return
    }
    const reason = 'a length prefix without end'
    this.destroy(KCP_CLOSE.protocol, reason, new KcpError('KCP_PROTOCOL', reason))
  }

  /** Hands KCP bytes of an accepted datagram. Negative when KCP does not take them. */
  protected take(
    bytes: Uint8Array,
    from: number,
    length: number,
    nowMs: number,
    isUnhurried = false,
  ): number {
    const { kcp } = this
    kcp.holdsAcks = isUnhurried
    kcp.isCongested = isUnhurried
    const { segmentsIn } = kcp.stats
    const result = kcp.input(bytes, from, length, nowMs)
    if (result < 0) {
      if (kcp.state !== 0) this.#giveUp()
      return result
    }
    const isToAcknowledge = kcp.stats.segmentsIn !== segmentsIn
    this.read()
    if (this.isOver() || this.#resetForMemory() || this.isDirty) return result
    if (this.#isQuiet(nowMs)) {
      this.#tellDrained()
      return result
    }
    const isUrgent = isToAcknowledge ? this.ackNoDelay : !this.writeDelay
    if (isUrgent || this.ownClose !== undefined) this.endpoint.turns.flushSoon(this)
    else this.#flushAfterInterval()
    return result
  }

  /** Hands the owner what has come, as long as it is reading. */
  protected read(): void {
    this.#hasUnread = true
    try {
      this.#hasUnread = !this.#inbox.read(this)
    } finally {
      // A listener that throws keeps nobody from the messages behind that one.
      if (this.#hasUnread && this.isReading) this.endpoint.turns.flushSoon(this)
    }
  }

  /** Everything has been sent and acknowledged. */
  protected get isDelivered(): boolean {
    return this.#outbox.isEmpty
  }

  /** When KCP wants its next flush, delays as chosen included. */
  protected kcpDueMs(nowMs: number): number {
    const { kcp } = this
    let due = kcp.nextDeadline(nowMs)
    if (due <= nowMs && !(this.ackNoDelay && !this.writeDelay))
      due = Math.max(due, this.#lastFlushMs + this.interval)
    if (kcp.holdsAcks && kcp.hasAcks) due = Math.min(due, this.#lastFlushMs + this.maxAckDelayMs)
    return due
  }

  /** Nothing of the other end is missing, and nothing is sent to it any more: it ends once all is read. */
  protected closedByPeer(info: KcpCloseInfo, nowMs: number): void {
    this.state = 'closing'
    this.#peerClose = new PeerClose(info, this.endpoint.options.idleTimeoutMs, nowMs)
    this.#outbox.clear()
    this.#count()
    this.endpoint.turns.wheel.delete(this)
    this.#finishWhenRead(this.#peerClose, nowMs)
  }

  protected get isClosedByPeer(): boolean {
    return this.#peerClose !== undefined
  }

  /** Sets the time of the next look. An earlier one that is set already stays: it looks again. */
  protected plan(nowMs: number): void {
    if (this.isClosedByPeer) return
    const due = Math.min(this.kcpDueMs(nowMs), this.nextDueMs(nowMs))
    if (this.slot < 0 || due < this.dueMs) this.endpoint.turns.wheel.set(this, due)
  }

  /** Ends it here: no datagram is sent or taken any more. */
  protected finish(info: KcpCloseInfo): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    const { endpoint } = this
    endpoint.turns.wheel.delete(this)
    this.kcp.release()
    this.#outbox.clear()
    endpoint.bufferedBytes -= this.#countedBytes
    this.#countedBytes = 0
    endpoint.conversations -= 1
    endpoint.counters.closed += 1
    this.leave()
    this.owner?.onClosed(info)
  }

  protected isOver(): boolean {
    return this.state === 'closed'
  }

  /** KCP has a datagram. */
  protected abstract transmit(bytes: Uint8Array, offset: number, length: number): void
  protected abstract onFlushed(nowMs: number): void
  /** What is due besides KCP's own. */
  protected abstract onTick(nowMs: number): void
  protected abstract nextDueMs(nowMs: number): number
  /** Takes itself off the endpoint's books. */
  protected abstract leave(): void

  /** A flush would send nothing, as after most datagrams that only acknowledge. */
  #isQuiet(nowMs: number): boolean {
    if (this.#outbox.hasBacklog || this.ownClose !== undefined) return false
    return this.kcp.state === 0 && this.kcp.nextDeadline(nowMs) > nowMs
  }

  /** What has come and is not read has a bound for all sessions too. */
  #resetForMemory(): boolean {
    this.#count()
    if (!this.endpoint.isTooMuch(this.#countedBytes)) return false
    const reason = `${this.#countedBytes} bytes of ${this.address} ${this.port} wait, too many with those of others`
    this.destroy(KCP_CLOSE.slowReader, reason, new KcpError('KCP_SLOW_READER', reason))
    return true
  }

  #refuseLarge(length: number): void {
    const reason = `a message of ${length} bytes, ${this.maxMessageBytes} are accepted`
    const error = new KcpError('KCP_TOO_LARGE', reason)
    const info = { code: KCP_CLOSE.tooLarge, reason, by: 'local', error } as const
    if (this.#peerClose !== undefined) this.finish(info)
    this.#beginClose(info)
  }

  #beginClose(info: KcpCloseInfo): void {
    if (this.state !== 'open') return
    const { endpoint } = this
    this.state = 'closing'
    this.ownClose = new OwnClose(info, endpoint.options.closeTimeoutMs, endpoint.now())
    endpoint.turns.flushSoon(this)
  }

  #finishWhenRead(peerClose: PeerClose, nowMs: number): void {
    if (this.isOver()) return
    if (!this.#inbox.hasMessages) {
      this.finish(peerClose.info)
      return
    }
    const before = this.#countedBytes
    this.#count()
    if (this.#countedBytes < before) peerClose.read(nowMs)
    this.endpoint.turns.wheel.set(this, peerClose.readByMs)
  }

  #giveUp(): void {
    if (this.kcp.state === -2) {
      const reason = 'a message that no window could hold'
      this.destroy(KCP_CLOSE.protocol, reason, new KcpError('KCP_PROTOCOL', reason))
    } else {
      const reason = 'nothing sent was acknowledged for too long'
      this.destroy(KCP_CLOSE.lost, reason, new KcpError('KCP_TIMEOUT', reason))
    }
  }

  #flushAfterInterval(): void {
    const due = this.#lastFlushMs + this.interval
    if (this.slot < 0 || due < this.dueMs) this.endpoint.turns.wheel.set(this, due)
  }

  #refuseToSend({ length }: Uint8Array): boolean {
    const reason = `KCP does not take a message of ${length} bytes now`
    this.destroy(KCP_CLOSE.slowReader, reason, new KcpError('KCP_SLOW_READER', reason))
    return false
  }

  /** Keeps the endpoint's sum of what waits, to be sent and to be read. */
  #count(): void {
    const bytes = this.bufferedBytes + this.#inbox.bytes
    this.endpoint.bufferedBytes += bytes - this.#countedBytes
    this.#countedBytes = bytes
  }

  #tellDrained(): void {
    if (!this.#wantsDrain || this.state !== 'open') return
    const buffered = this.bufferedBytes
    if (buffered * 2 > MAX_HIGH_WATER_BYTES || buffered * 4 > this.maxBufferedBytes) return
    this.#wantsDrain = false
    this.owner?.onDrain()
  }
}

/** What has another length than its bytes, or none, would go as something else than was meant, or not at all. */
export function checkBytes(message: Uint8Array): void {
  const { length, byteLength } = message
  if (length === undefined || length !== byteLength)
    throw new TypeError('a message is a Uint8Array; text goes through a TextEncoder')
}
