import type { SeededRandom, SteppedClock } from '@rts/testing'
import type { SessionLink } from '../../src/link.ts'

export interface WireOptions {
  readonly delayMs?: number
  /** Added to the delay of each message, up to so much; order is kept. */
  readonly jitterMs?: number
  readonly random?: SeededRandom
  /** Bytes on the way from which `send` returns false. */
  readonly highWaterBytes?: number
}

/** One direction of a wire: delivers in order after a delay, unless told otherwise. */
class Lane {
  readonly #clock: SteppedClock
  readonly #options: WireOptions
  readonly #queue: { bytes: Uint8Array | undefined; atMs: number; close?: [number, string] }[] = []
  #lastMs = 0
  #timer: (() => void) | undefined
  isSwallowed = false
  isStalled = false
  bytes = 0
  deliver: (bytes: Uint8Array) => void = () => {}
  closed: (code: number, reason: string) => void = () => {}
  drained: () => void = () => {}
  #wasFull = false

  constructor(clock: SteppedClock, options: WireOptions) {
    this.#clock = clock
    this.#options = options
  }

  send(bytes: Uint8Array): boolean {
    if (this.isSwallowed) return true
    this.bytes += bytes.length
    this.#push({ bytes: bytes.slice() })
    const isFull = this.bytes >= (this.#options.highWaterBytes ?? Infinity)
    this.#wasFull ||= isFull
    return !isFull
  }

  close(code: number, reason: string): void {
    if (!this.isSwallowed) this.#push({ bytes: undefined, close: [code, reason] })
  }

  clear(): void {
    this.#timer?.()
    this.#timer = undefined
    this.#queue.length = 0
  }

  stall(on: boolean): void {
    this.isStalled = on
    if (on) this.#timer?.()
    this.#timer = undefined
    if (!on) this.#arm()
  }

  #push(item: { bytes: Uint8Array | undefined; close?: [number, string] }): void {
    const { delayMs = 0, jitterMs = 0, random } = this.#options
    const jitter = random === undefined || jitterMs === 0 ? 0 : random.int(jitterMs + 1)
    this.#lastMs = Math.max(this.#lastMs, this.#clock.now() + delayMs + jitter)
    this.#queue.push({ ...item, atMs: this.#lastMs })
    this.#arm()
  }

  #arm(): void {
    const first = this.#queue[0]
    if (this.#timer !== undefined || this.isStalled || first === undefined) return
    this.#timer = this.#clock.setTimer(Math.max(0, first.atMs - this.#clock.now()), () => {
      this.#timer = undefined
      const item = this.#queue.shift()
      if (item === undefined) return
      this.#arm()
      if (item.bytes !== undefined) {
        this.bytes -= item.bytes.length
        this.deliver(item.bytes)
        // What is handed over is only good during the call: anyone who kept it sees it spoilt.
        item.bytes.fill(0xdd)
        if (this.#wasFull && this.bytes < (this.#options.highWaterBytes ?? Infinity) / 2) {
          this.#wasFull = false
          this.drained()
        }
      } else if (item.close !== undefined) {
        this.closed(...item.close)
      }
    })
  }
}

class WireEnd implements SessionLink {
  onMessage: (message: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #out: Lane
  closedWith: { code: number | undefined; reason: string | undefined } | undefined
  isOpen = true
  sent = 0

  constructor(out: Lane) {
    this.#out = out
  }

  get bufferedBytes(): number {
    return this.#out.bytes
  }

  send(message: Uint8Array): boolean {
    if (!this.isOpen) return false
    this.sent += 1
    return this.#out.send(message)
  }

  close(code?: number, reason?: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.closedWith = { code, reason }
    this.#out.close(code ?? 1000, reason ?? '')
  }

  /** The other end, or the network, closed it. */
  closedByPeer(code: number, reason: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.onClose(code, reason)
  }
}

/** A connection in memory whose faults a test decides. */
export class Wire {
  readonly client: WireEnd
  readonly server: WireEnd
  readonly up: Lane
  readonly down: Lane

  constructor(clock: SteppedClock, options: WireOptions = {}) {
    this.up = new Lane(clock, options)
    this.down = new Lane(clock, options)
    this.client = new WireEnd(this.up)
    this.server = new WireEnd(this.down)
    this.up.deliver = (bytes) => this.server.isOpen && this.server.onMessage(bytes)
    this.down.deliver = (bytes) => this.client.isOpen && this.client.onMessage(bytes)
    this.up.closed = (code, reason) => this.server.closedByPeer(code, reason)
    this.down.closed = (code, reason) => this.client.closedByPeer(code, reason)
    this.up.drained = () => this.client.isOpen && this.client.onDrain()
    this.down.drained = () => this.server.isOpen && this.server.onDrain()
  }

  /** Both ends see a close; what was under way is lost. */
  cut(): void {
    this.up.clear()
    this.down.clear()
    this.client.closedByPeer(1006, 'cut')
    this.server.closedByPeer(1006, 'cut')
  }

  /** Nothing arrives any more, and nobody is told. */
  swallow(direction: 'up' | 'down' | 'both' = 'both'): void {
    if (direction !== 'down') this.#swallow(this.up)
    if (direction !== 'up') this.#swallow(this.down)
  }

  #swallow(lane: Lane): void {
    lane.clear()
    lane.isSwallowed = true
  }
}
