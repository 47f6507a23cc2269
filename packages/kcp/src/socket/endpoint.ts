import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { SegmentPool } from '../segment-pool.ts'
import { Commons, type Scratch } from './commons.ts'
import { newCounters, type DropReason, type KcpCounters } from './counters.ts'
import type { DatagramSocket } from './datagram-socket.ts'
import type { ResolvedSocketOptions } from './options.ts'
import type { Turns } from './turns.ts'

/** Datagrams that libuv reads of a socket before it turns to others: as many again may be waiting. */
const READS_PER_TURN = 32

/** What all conversations of one socket share: the socket, time, memory, counters. */
export class Endpoint {
  readonly options: ResolvedSocketOptions
  readonly clock: Clock
  readonly random: Random
  /** Of the port. */
  socket: DatagramSocket
  /** The socket that what goes to an address leaves by, when it is not that of the port. */
  socketFor: (address: string, port: number) => DatagramSocket | undefined = () => undefined
  readonly turns: Turns
  readonly pool: SegmentPool
  /** See `Commons`, also for the next. */
  readonly scratch: Scratch
  readonly control: Uint8Array
  readonly counters: KcpCounters = newCounters()
  /** Bytes waiting in all conversations, to be sent and to be read. */
  bufferedBytes = 0
  /** Conversations that have not ended. */
  conversations = 0
  /** How long the other ends may hold acknowledgements of what is sent now. */
  ackDelayMs = 0
  #datagramsBefore = 0

  /** @param commons - When they are those of other sockets too. */
  constructor(socket: DatagramSocket, options: ResolvedSocketOptions, commons?: Commons) {
    this.socket = socket
    this.options = options
    this.clock = options.clock
    this.random = options.random
    const { turns, pool, scratch, control } =
      commons ?? new Commons(options.clock, () => this.#isBehind())
    this.turns = turns
    this.pool = pool
    this.scratch = scratch
    this.control = control
  }

  /** Whole milliseconds, as KCP counts. */
  now(): number {
    return Math.floor(this.clock.now())
  }

  /**
   * Whether a conversation in which `ownBytes` wait must end, as too much does in all. Those that hold no more than
   * their share are left alone: a few that are greedy cost nobody else the session.
   */
  isTooMuch(ownBytes: number, moreBytes = 0): boolean {
    const most = this.options.maxTotalBufferedBytes
    return this.bufferedBytes + moreBytes > most && ownBytes > most / this.conversations
  }

  drop(reason: DropReason): void {
    this.counters.dropped[reason] += 1
  }

  send(bytes: Uint8Array, from: number, end: number, address: string, port: number): void {
    const { counters } = this
    const socket = this.socketFor(address, port) ?? this.socket
    if (socket.send(bytes, from, end, port, address)) {
      counters.datagramsOut += 1
      counters.bytesOut += end - from
    } else counters.dropped.sendQueue += 1
  }

  #isBehind(): boolean {
    const { datagramsIn } = this.counters
    const read = datagramsIn - this.#datagramsBefore
    this.#datagramsBefore = datagramsIn
    return read >= READS_PER_TURN
  }
}
