import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { SegmentPool } from '../segment-pool.ts'
import { newCounters, type DropReason, type KcpCounters } from './counters.ts'
import type { DatagramSocket } from './datagram-socket.ts'
import type { ResolvedSocketOptions } from './options.ts'
import { Turns } from './turns.ts'

const SCRATCH_BYTES = 64 * 1024
const CONTROL_BYTES = 2048
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
  readonly pool: SegmentPool = new SegmentPool()
  readonly counters: KcpCounters = newCounters()
  /** For one call at a time: what `receive` fills. */
  readonly scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES)
  /** For one call at a time: a control datagram being made. */
  readonly control: Uint8Array = new Uint8Array(CONTROL_BYTES)
  /** Bytes waiting to be sent in all conversations. */
  bufferedBytes = 0
  /** How long the other ends may hold acknowledgements of what is sent now. */
  ackDelayMs = 0
  #datagramsBefore = 0

  /** @param turns - When they are shared with other sockets. */
  constructor(socket: DatagramSocket, options: ResolvedSocketOptions, turns?: Turns) {
    this.socket = socket
    this.options = options
    this.clock = options.clock
    this.random = options.random
    this.turns = turns ?? new Turns(options.clock, () => this.#isBehind())
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
