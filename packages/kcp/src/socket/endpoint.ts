import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { SegmentPool } from '../segment-pool.ts'
import type { Conversation } from './conversation.ts'
import { newCounters, type DropReason, type KcpCounters } from './counters.ts'
import type { DatagramSocket } from './datagram-socket.ts'
import type { ResolvedSocketOptions } from './options.ts'
import { Wheel } from './wheel.ts'

const SCRATCH_BYTES = 64 * 1024
const CONTROL_BYTES = 2048

/** What all conversations of one socket share: the socket, time, memory, counters. */
export class Endpoint {
  readonly options: ResolvedSocketOptions
  readonly clock: Clock
  readonly random: Random
  readonly socket: DatagramSocket
  readonly wheel: Wheel
  readonly pool: SegmentPool = new SegmentPool()
  readonly counters: KcpCounters = newCounters()
  /** For one call at a time: what `receive` fills. */
  readonly scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES)
  /** For one call at a time: a control datagram being made. */
  readonly control: Uint8Array = new Uint8Array(CONTROL_BYTES)
  /** Bytes waiting to be sent in all conversations. */
  bufferedBytes = 0
  #dirty: Conversation[] = []
  #spare: Conversation[] = []
  readonly #flushDirty = (): void => this.#flush()

  constructor(socket: DatagramSocket, options: ResolvedSocketOptions) {
    this.socket = socket
    this.options = options
    this.clock = options.clock
    this.random = options.random
    this.wheel = new Wheel(options.clock)
  }

  /** Whole milliseconds, as KCP counts. */
  now(): number {
    return Math.floor(this.clock.now())
  }

  drop(reason: DropReason): void {
    this.counters.dropped[reason] += 1
  }

  send(bytes: Uint8Array, from: number, end: number, address: string, port: number): void {
    const { counters } = this
    if (this.socket.send(bytes, from, end, port, address)) {
      counters.datagramsOut += 1
      counters.bytesOut += end - from
    } else counters.dropped.sendQueue += 1
  }

  /** Has a conversation flushed once, after this turn, however often it asks. */
  flushSoon(conversation: Conversation): void {
    if (conversation.isDirty) return
    conversation.isDirty = true
    if (this.#dirty.push(conversation) === 1) this.clock.defer(this.#flushDirty)
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = this.#spare
    this.#spare = dirty
    const now = this.now()
    for (let i = 0; i < dirty.length; i += 1) {
      const conversation = dirty[i]!
      conversation.isDirty = false
      conversation.flush(now)
    }
    dirty.length = 0
  }
}
