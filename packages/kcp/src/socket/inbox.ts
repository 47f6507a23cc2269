import type { Kcp } from '../kcp.ts'
import type { Scratch } from './commons.ts'
import { FrameReader, type FrameSink } from './frames.ts'

/** `frames`: messages of any size with length prefixes in a KCP stream. The others are what plain peers speak. */
export type Framing = 'frames' | 'messages' | 'stream'

/** What has come and was not handed out yet. Until somebody is there to read, all of it waits. */
export class Inbox {
  isPaused = true
  readonly #kcp: Kcp
  readonly #isMessages: boolean
  readonly #frames: FrameReader | undefined
  readonly #scratch: Scratch

  constructor(kcp: Kcp, framing: Framing, scratch: Scratch) {
    this.#kcp = kcp
    this.#isMessages = framing === 'messages'
    this.#frames = framing === 'frames' ? new FrameReader() : undefined
    this.#scratch = scratch
  }

  /** Messages that are whole wait. */
  get hasMessages(): boolean {
    return this.#kcp.peekSize() >= 0 || (this.#frames?.restBytes ?? 0) > 0
  }

  /** Bytes that wait, also of messages that are not whole. */
  get bytes(): number {
    return this.#kcp.waitRcvBytes + (this.#frames?.heldBytes ?? 0)
  }

  /** Hands out what there is, as long as the sink is reading. Returns whether that was all. */
  read(sink: FrameSink): boolean {
    const frames = this.#frames
    if (frames !== undefined && frames.restBytes > 0) frames.pushRest(sink)
    if (this.#kcp.peekSize() < 0) return !this.hasMessages
    const scratch = this.#scratch.borrow()
    try {
      return this.#readBy(scratch, sink)
    } finally {
      this.#scratch.giveBack(scratch)
    }
  }

  #readBy(scratch: Uint8Array, sink: FrameSink): boolean {
    const kcp = this.#kcp
    const frames = this.#frames
    while (sink.isReading) {
      const size = kcp.peekSize()
      if (size < 0) return true
      if (this.#isMessages && size > sink.maxMessageBytes) {
        sink.onBadFrame('tooLarge', size)
        return true
      }
      const target = size <= scratch.length ? scratch : new Uint8Array(size)
      const length = kcp.receive(target)
      if (frames === undefined) sink.onFrame(target.subarray(0, length))
      else frames.push(target, 0, length, sink)
    }
    return !this.hasMessages
  }
}
