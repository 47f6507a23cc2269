import type { Clock } from './clock.ts'
import { encodeData } from './frame-encoder.ts'
import type { LaneLimits } from './limits.ts'
import type { Pacer } from './pacer.ts'
import { ReliableSender } from './reliable-lane.ts'
import { StateSender } from './state-lane.ts'
import type { Traffic } from './stats.ts'

/** Where an outbox puts its frames: the link of the channel it belongs to. */
export interface OutboxLine {
  /** Whether a frame may leave now. */
  isReady(): boolean
  /** Bytes the link holds already. */
  bufferedBytes(): number
  transmit(frame: Uint8Array): void
  /** Frames were given up: the link must go, and the next one start clean. */
  broke(reason: string): void
  drained(): void
}

/**
 * What one end of a session has to send: two lanes, kept within their bounds, handed over in turn
 * at the speed that link and pacer allow.
 */
export class Outbox {
  readonly #clock: Clock
  readonly #limits: LaneLimits
  readonly #traffic: Traffic
  readonly #line: OutboxLine
  readonly #reliable = new ReliableSender()
  readonly #state: StateSender
  /** The number of the route frame that announced an epoch: state frames may not overtake it. */
  readonly #announced = new Map<number, number>()
  #pacer: Pacer | undefined
  #cancelPace: (() => void) | undefined
  #isPumping = false
  #isBroken = false
  #isStateNext = false
  #wantsDrain = false
  /** Reliable frames given up since the lanes last started clean. */
  #givenUp = 0

  constructor(clock: Clock, limits: LaneLimits, traffic: Traffic, line: OutboxLine) {
    this.#clock = clock
    this.#limits = limits
    this.#traffic = traffic
    this.#line = line
    this.#state = new StateSender(limits.maxStateBytes)
  }

  get unackedFrames(): number {
    return this.#reliable.length
  }

  get unackedBytes(): number {
    return this.#reliable.bytes
  }

  /** A new link begins, paced or not. */
  open(pacer: Pacer | undefined): void {
    this.#pacer = pacer
  }

  /** The link has gone: what was in flight waits for the next one. */
  close(): void {
    this.#cancelPace?.()
    this.#cancelPace = undefined
    this.#state.relink()
  }

  /** Whether frames were given up, so that only a clean start of both lanes can go on. */
  isBroken(): boolean {
    return this.#breakIfStale() || this.#isBroken
  }

  /**
   * Makes the reliable lane ready to go on after `lastReceived`. `false`: it cannot, since frames
   * after that are gone or that frame was never sent.
   */
  resumeFrom(lastReceived: number): boolean {
    return !this.isBroken() && this.#reliable.resumeFrom(lastReceived)
  }

  /** Both lanes start clean. Returns how many reliable frames may not have arrived. */
  reset(): number {
    this.#clear()
    const lost = this.#givenUp
    this.#isBroken = false
    this.#givenUp = 0
    return lost
  }

  /** Queues a frame on the reliable lane. `false`: wait for `drained`. */
  sendReliable(epoch: number, payload: Uint8Array): boolean {
    return this.#keep(encodeData('reliable', this.#reliable.nextSeq, epoch, payload))
  }

  /** Announces a route in order with the frames of the reliable lane. */
  sendRoute(epoch: number, encode: (seq: number) => Uint8Array): void {
    const seq = this.#reliable.nextSeq
    this.#announced.set(epoch, seq)
    this.#keep(encode(seq))
  }

  /** Queues a frame on the state lane. `false`: wait for `drained`. */
  sendState(epoch: number, key: number, payload: Uint8Array): boolean {
    if (this.isBroken()) {
      this.#traffic.stateDropped += 1
      return false
    }
    const frame = encodeData('state', 0, epoch, payload)
    const { replaced, dropped } = this.#state.push(epoch, key, frame)
    this.#traffic.stateReplaced += replaced
    this.#traffic.stateDropped += dropped
    this.pump()
    return this.#hasRoom(1)
  }

  /** A route's epoch is over: its state frames mean nothing any more. */
  endEpoch(epoch: number): void {
    this.#state.purge(epoch)
    this.#announced.delete(epoch)
  }

  /**
   * Takes the other end's acknowledgements.
   *
   * @returns How many frames it newly has, or `undefined` when it cannot have them.
   */
  acknowledge(ack: number, stateAck: number): number | undefined {
    const reliable = this.#reliable.acknowledge(ack)
    const state = this.#state.acknowledge(stateAck)
    return reliable === undefined || state === undefined ? undefined : reliable + state
  }

  /** A frame beside the lanes takes its share of the pace. */
  charge(frameBytes: number): void {
    this.#pacer?.charge(frameBytes, this.#clock.now())
  }

  /** Hands frames over, the lanes in turn, until the link or the pacer says wait. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    let frame = this.#takeNext()
    for (; frame !== undefined; frame = this.#takeNext()) this.#line.transmit(frame)
    this.#isPumping = false
    if (!this.#wantsDrain || !this.#line.isReady() || !this.#hasRoom(0.5)) return
    this.#wantsDrain = false
    this.#line.drained()
  }

  #takeNext(): Uint8Array | undefined {
    if (!this.#line.isReady()) return undefined
    const reliable = this.#reliable.peek()
    const state = this.#peekState()
    const frame = this.#isStateNext ? (state ?? reliable) : (reliable ?? state)
    if (frame === undefined || !this.#mayLeave(frame.length)) return undefined
    this.#isStateNext = frame === reliable
    if (frame === state) this.#state.markSent(frame)
    else if (this.#reliable.markSent()) this.#traffic.resent += 1
    this.charge(frame.length)
    return frame
  }

  /** In a link that holds much already a state frame would only grow old; here it can be replaced. */
  #peekState(): Uint8Array | undefined {
    if (this.#state.length === 0) return undefined
    if (this.#line.bufferedBytes() > this.#limits.stateHoldBytes) return undefined
    return this.#state.peek((epoch) => {
      const seq = this.#announced.get(epoch)
      return seq === undefined || this.#reliable.hasSent(seq)
    })
  }

  #mayLeave(frameBytes: number): boolean {
    if (this.#pacer === undefined) return true
    const waitMs = this.#pacer.waitMs(
      frameBytes,
      this.#reliable.inFlight + this.#state.inFlight,
      this.#reliable.inFlightBytes + this.#state.inFlightBytes,
      this.#clock.now(),
    )
    if (waitMs === 0) return true
    if (waitMs !== Infinity) {
      this.#cancelPace ??= this.#clock.setTimer(waitMs, () => {
        this.#cancelPace = undefined
        this.pump()
      })
    }
    return false
  }

  #keep(frame: Uint8Array): boolean {
    const { maxUnackedBytes, maxUnackedFrames } = this.#limits
    const isFull =
      this.#reliable.length >= maxUnackedFrames ||
      (this.#reliable.length > 0 && this.#reliable.bytes + frame.length > maxUnackedBytes)
    if (isFull) this.#break('too much is unacknowledged')
    if (this.isBroken()) {
      this.#giveUp(1)
      return false
    }
    this.#reliable.push(frame, this.#clock.now())
    this.pump()
    return this.#hasRoom(1)
  }

  #breakIfStale(): boolean {
    const { oldestMs } = this.#reliable
    if (oldestMs === undefined) return false
    if (this.#clock.now() - oldestMs <= this.#limits.maxUnackedAgeMs) return false
    this.#break('a frame was unacknowledged for too long')
    return true
  }

  /** Frees what is kept. The next resume tells both ends of the gap. */
  #break(reason: string): void {
    if (this.#isBroken) return
    this.#isBroken = true
    this.#clear()
    this.#line.broke(reason)
  }

  #clear(): void {
    this.#giveUp(this.#reliable.reset())
    this.#state.reset()
    this.#announced.clear()
  }

  #giveUp(frames: number): void {
    this.#givenUp += frames
    this.#traffic.lost += frames
  }

  /** Whether a sender may go on: less than a share of the soft bound is kept, and a link takes it. */
  #hasRoom(share: number): boolean {
    const hasRoom =
      !this.#isBroken &&
      this.#reliable.bytes <= this.#limits.softUnackedBytes * share &&
      this.#reliable.length <= (this.#limits.maxUnackedFrames / 4) * share
    if (!hasRoom) this.#wantsDrain = true
    return hasRoom
  }
}
