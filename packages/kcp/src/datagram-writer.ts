import { IKCP_OVERHEAD } from './constants.ts'
import { copyBlock } from './copy.ts'
import type { Block } from './segment-pool.ts'
import type { KcpStats } from './stats.ts'

/**
 * Takes one finished datagram: `buffer[offset, offset + length)`, valid only during the call, as the buffer is
 * reused. `headroomBytes` before it and `tailroomBytes` after it are the callee's to overwrite, so that a header or
 * a tag needs no copy. It must not call back into the conversation.
 */
export type KcpOutput = (buffer: Uint8Array, offset: number, length: number) => void

/** Packs segments into datagrams of up to `mtu` bytes. */
export class DatagramWriter {
  readonly #conv: number
  readonly #output: KcpOutput
  readonly #stats: KcpStats
  #block: Block | undefined
  #start = 0
  #cursor = 0
  #limit = 0
  #una = 0

  constructor(conv: number, output: KcpOutput, stats: KcpStats) {
    this.#conv = conv
    this.#output = output
    this.#stats = stats
  }

  /** Datagrams from now on begin at `start` of `block`; `una` goes into every header. */
  begin(block: Block, start: number, mtu: number, una: number): void {
    this.#block = block
    this.#start = start
    this.#cursor = start
    this.#limit = start + mtu
    this.#una = una
  }

  /** Sends what has been written when a segment with `length` bytes of payload would not fit behind it. */
  reserve(length: number): void {
    if (this.#cursor + IKCP_OVERHEAD + length > this.#limit) this.send()
  }

  /** Writes a segment; `head` is command, fragment and window as they lie in the header. */
  write(
    head: number,
    ts: number,
    sn: number,
    length: number,
    payload: Block | undefined,
    offset: number,
  ): void {
    const block = this.#block!
    const { view } = block
    const at = this.#cursor
    view.setInt32(at, this.#conv, true)
    view.setInt32(at + 4, head, true)
    view.setInt32(at + 8, ts, true)
    view.setInt32(at + 12, sn, true)
    view.setInt32(at + 16, this.#una, true)
    view.setInt32(at + 20, length, true)
    this.#cursor = at + IKCP_OVERHEAD
    if (payload === undefined) return
    copyBlock(payload, offset, length, block, this.#cursor)
    this.#cursor += length
  }

  /** Sends what has been written, if anything. */
  send(): void {
    const length = this.#cursor - this.#start
    if (length === 0) return
    this.#cursor = this.#start
    this.#stats.datagramsOut += 1
    this.#stats.bytesOut += length
    this.#output(this.#block!.bytes, this.#start, length)
  }

  /** Lets go of the block. */
  end(): void {
    this.#block = undefined
  }
}
