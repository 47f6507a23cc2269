import {
  FRAME_TOO_LARGE,
  HEARTBEAT_TIMEOUT,
  PROTOCOL_ERROR,
  RATE_LIMITED,
  SEQUENCE_GAP,
  SLOW_CONSUMER,
} from './shared-codes.ts'
import type { Clock } from './clock.ts'
import { encodeClientFrame, stampAcks } from './frame-encoder.ts'
import type {
  AckFrame,
  Acks,
  Frame,
  Malformed,
  PingFrame,
  ReliableFrame,
  RouteFrame,
  StateFrame,
  Terms,
} from './frame.ts'
import { Heartbeat } from './heartbeat.ts'
import type { HeldLink } from './held-link.ts'
import type { LaneLimits } from './limits.ts'
import { Outbox } from './outbox.ts'
import type { Pacer } from './pacer.ts'
import type { Random } from './random.ts'
import { ReliableReceiver } from './reliable-lane.ts'
import { Traffic } from './stats.ts'

/** Data frames received before an acknowledgement leaves by itself, and how long one may wait. */
const ACK_EVERY = 16
const ACK_DELAY_MS = 100
const ACK_FRAME_BYTES = 7
const PING_FRAME_BYTES = 11

/** Frames a channel passes on. */
export type DeliveredFrame = Exclude<Frame, AckFrame | PingFrame>

/** What a channel asks of the session that owns it. */
export interface ChannelOwner {
  decode(bytes: Uint8Array): Frame | Malformed
  deliver(frame: DeliveredFrame): void
  /** Whether the peer may send this much more. `undefined` where nothing limits it. */
  readonly admit: ((bytes: number) => boolean) | undefined
  /** The channel has let go of its link. */
  linkLost(code: number, reason: string): void
  /** The peer did what an honest one never does. */
  failed(code: number, reason: string): void
  drained(): void
  measured(rttMs: number, smoothedMs: number): void
}

/**
 * What both ends of a session do alike: number, keep and acknowledge frames over whatever link
 * there is, and watch that the link lives.
 */
export class Channel {
  readonly traffic: Traffic = new Traffic()
  readonly outbox: Outbox
  readonly #clock: Clock
  readonly #owner: ChannelOwner
  readonly #slowTimeoutMs: number
  readonly #heartbeat: Heartbeat
  readonly #received = new ReliableReceiver()

  #link: HeldLink | undefined
  #maxInboundBytes = 0
  /** Until the handshake's answer has left, nothing else may. */
  #isCorked = false
  /** The link asked to wait. */
  #isBlocked = false
  #stateReceived = 0
  /** Data frames received that no frame sent since has acknowledged. */
  #unacknowledged = 0
  #pingToAnswer: number | undefined
  #cancelAck: (() => void) | undefined
  #cancelSlow: (() => void) | undefined

  constructor(clock: Clock, random: Random, limits: LaneLimits, owner: ChannelOwner) {
    this.#clock = clock
    this.#owner = owner
    this.#slowTimeoutMs = limits.slowTimeoutMs
    this.outbox = new Outbox(clock, limits, this.traffic, {
      isReady: () => this.#link !== undefined && !this.#isCorked && !this.#isBlocked,
      bufferedBytes: () => this.#link?.link.bufferedBytes ?? 0,
      transmit: (frame) => {
        const { ack, stateAck } = this.#acks()
        stampAcks(frame, ack, stateAck)
        this.#transmit(frame)
      },
      broke: (reason) => this.loseLink(SLOW_CONSUMER, reason),
      drained: () => owner.drained(),
    })
    this.#heartbeat = new Heartbeat(clock, random, {
      ping: (time) => this.#ping(time),
      silent: (ms) => this.loseLink(HEARTBEAT_TIMEOUT, `nothing heard for ${Math.round(ms)} ms`),
    })
  }

  get isOpen(): boolean {
    return this.#link !== undefined
  }

  /** Whether `link` is the one in use. */
  isOn(link: HeldLink): boolean {
    return this.#link === link
  }

  get lastReceived(): number {
    return this.#received.lastReceived
  }

  get rttMs(): number | undefined {
    return this.#heartbeat.rttMs
  }

  /** Takes a link on which only the answer of the handshake is missing: nothing leaves until `uncork`. */
  open(link: HeldLink, terms: Terms, maxInboundBytes: number, pacer?: Pacer): void {
    this.#link = link
    this.#maxInboundBytes = maxInboundBytes
    this.#isCorked = true
    this.traffic.links += 1
    this.outbox.open(pacer)
    link.handOver({
      message: (bytes) => this.#receive(bytes),
      drained: () => this.#unblock(),
      closed: (code, reason) => {
        this.detach()
        this.#owner.linkLost(code, reason)
      },
    })
    this.#heartbeat.start(terms.heartbeatMs, terms.heartbeatTimeoutMs)
  }

  /** Lets frames leave, after `answer` if there is one. */
  uncork(answer?: Uint8Array): void {
    if (answer !== undefined) this.#transmit(answer)
    this.#isCorked = false
    this.outbox.pump()
  }

  /** Lets go of the link, for the owner to close it. What was in flight waits for the next one. */
  detach(): HeldLink | undefined {
    const link = this.#link
    this.#link = undefined
    this.#isBlocked = this.#isCorked = false
    this.#unacknowledged = this.#stateReceived = 0
    this.#pingToAnswer = undefined
    this.#heartbeat.stop()
    this.#cancelAck?.()
    this.#cancelSlow?.()
    this.#cancelAck = this.#cancelSlow = undefined
    this.outbox.close()
    return link
  }

  /** Closes the link with a reason; the session goes on without. */
  loseLink(code: number, reason: string): void {
    const link = this.detach()
    if (link === undefined) return
    link.close(code, reason)
    this.#owner.linkLost(code, reason)
  }

  /** Both lanes start clean. Returns how many reliable frames of this end may not have arrived. */
  reset(): number {
    this.#received.reset()
    return this.outbox.reset()
  }

  /** Sends a frame beside the lanes, with present acknowledgements. */
  sendAside(encode: (acks: Acks) => Uint8Array): void {
    if (!this.#isCorked) this.#transmit(encode(this.#acks()))
  }

  /** Acknowledges now, with or without need: it shows the other end that this one is there. */
  acknowledge(): void {
    this.outbox.charge(ACK_FRAME_BYTES)
    this.#sendAck()
  }

  #transmit(bytes: Uint8Array): void {
    const link = this.#link
    if (link === undefined) return
    this.traffic.framesOut += 1
    this.traffic.bytesOut += bytes.length
    if (link.send(bytes) || this.#link !== link || this.#isBlocked) return
    this.#isBlocked = true
    const slowMs = this.#slowTimeoutMs
    this.#cancelSlow = this.#clock.setTimer(slowMs, () =>
      this.loseLink(SLOW_CONSUMER, `the link did not drain for ${slowMs} ms`),
    )
  }

  #unblock(): void {
    this.#isBlocked = false
    this.#cancelSlow?.()
    this.#cancelSlow = undefined
    if (this.#pingToAnswer !== undefined) this.#pong(this.#pingToAnswer)
    if (this.#unacknowledged > 0) this.#sendAck()
    this.outbox.pump()
  }

  #receive(bytes: Uint8Array): void {
    this.traffic.framesIn += 1
    this.traffic.bytesIn += bytes.length
    if (bytes.length > this.#maxInboundBytes) {
      const problem = `a frame of ${bytes.length} bytes, at most ${this.#maxInboundBytes}`
      this.#owner.failed(FRAME_TOO_LARGE, problem)
      return
    }
    const frame = this.#owner.decode(bytes)
    if (frame.type === 'malformed') {
      this.#owner.failed(PROTOCOL_ERROR, frame.problem)
      return
    }
    this.#heartbeat.heard()
    const freed = 'stateAck' in frame ? this.outbox.acknowledge(frame.ack, frame.stateAck) : 0
    if (freed === undefined) {
      this.#owner.failed(PROTOCOL_ERROR, 'an acknowledgement of a frame never sent')
      return
    }
    const rttMs = frame.type === 'pong' ? this.#heartbeat.pong(frame.time) : undefined
    // What the other end can only send because of what we sent costs it nothing.
    const isFree =
      frame.type === 'bye' ||
      rttMs !== undefined ||
      (freed > 0 && (frame.type === 'ack' || frame.type === 'pong'))
    if (!isFree && this.#owner.admit?.(bytes.length) === false) {
      this.#owner.failed(RATE_LIMITED, 'more frames or bytes than the limits allow')
      return
    }
    this.#dispatch(frame, rttMs)
    this.outbox.pump()
  }

  #dispatch(frame: Frame, rttMs: number | undefined): void {
    switch (frame.type) {
      case 'ack':
        break
      case 'ping':
        this.#pong(frame.time)
        break
      case 'pong':
        if (rttMs !== undefined) this.#owner.measured(rttMs, this.#heartbeat.rttMs ?? rttMs)
        break
      case 'reliable':
      case 'route':
        this.#inOrder(frame)
        break
      case 'state':
        this.#stateReceived = (this.#stateReceived + 1) & 0xffff
        this.#deliverData(frame)
        break
      default:
        this.#owner.deliver(frame)
    }
  }

  #inOrder(frame: ReliableFrame | RouteFrame): void {
    const order = this.#received.accept(frame.seq)
    if (order === 'next') {
      this.#deliverData(frame)
    } else if (order === 'duplicate') {
      this.traffic.duplicates += 1
    } else {
      const last = this.#received.lastReceived
      this.loseLink(SEQUENCE_GAP, `frame ${frame.seq} came after frame ${last}`)
    }
  }

  #deliverData(frame: ReliableFrame | StateFrame | RouteFrame): void {
    const link = this.#link
    this.#unacknowledged += 1
    this.#owner.deliver(frame)
    if (this.#link !== link) return
    if (this.#unacknowledged >= ACK_EVERY) this.#sendAck()
    else if (this.#unacknowledged > 0) this.#armAck()
  }

  #armAck(): void {
    this.#cancelAck ??= this.#clock.setTimer(ACK_DELAY_MS, () => {
      this.#cancelAck = undefined
      if (this.#unacknowledged > 0) this.#sendAck()
    })
  }

  /** The acknowledgements to put into a frame that leaves now. */
  #acks(): Acks {
    this.#unacknowledged = 0
    return { ack: this.#received.lastReceived, stateAck: this.#stateReceived }
  }

  #sendAck(): void {
    if (!this.#isBlocked) this.#transmit(encodeClientFrame({ type: 'ack', ...this.#acks() }))
  }

  #ping(time: number): boolean {
    if (this.outbox.isBroken() || this.#isBlocked) return false
    this.outbox.charge(PING_FRAME_BYTES)
    this.#transmit(encodeClientFrame({ type: 'ping', ...this.#acks(), time }))
    return true
  }

  #pong(time: number): void {
    this.#pingToAnswer = this.#isBlocked ? time : undefined
    if (!this.#isBlocked) this.#transmit(encodeClientFrame({ type: 'pong', ...this.#acks(), time }))
  }
}
