import type { DatagramCipher } from './cipher.ts'
import { siphash24 } from './siphash.ts'

const TAG_BYTES = 8
const tag = new Int32Array(2)

/**
 * Authenticates datagrams by a 64-bit SipHash-2-4 tag under one key per direction. Bodies stay readable.
 * The counter is in the header, so it is under the tag too.
 */
export class TagCipher implements DatagramCipher {
  readonly overheadBytes: number = TAG_BYTES
  readonly #sendKey: Int32Array
  readonly #receiveKey: Int32Array

  /** @param sendKey - Four words, as `receiveKey`. */
  constructor(sendKey: Int32Array, receiveKey: Int32Array) {
    this.#sendKey = sendKey
    this.#receiveKey = receiveKey
  }

  seal(bytes: Uint8Array, headerStart: number, _bodyStart: number, bodyEnd: number): number {
    siphash24(this.#sendKey, bytes, headerStart, bodyEnd, tag)
    const low = tag[0]!
    const high = tag[1]!
    for (let i = 0; i < 4; i += 1) {
      bytes[bodyEnd + i] = low >>> (8 * i)
      bytes[bodyEnd + 4 + i] = high >>> (8 * i)
    }
    return bodyEnd + TAG_BYTES
  }

  open(bytes: Uint8Array, headerStart: number, bodyStart: number, end: number): number {
    const bodyEnd = end - TAG_BYTES
    if (bodyEnd < bodyStart) return -1
    siphash24(this.#receiveKey, bytes, headerStart, bodyEnd, tag)
    const low = tag[0]!
    const high = tag[1]!
    let difference = 0
    for (let i = 0; i < 4; i += 1) {
      difference |= bytes[bodyEnd + i]! ^ ((low >>> (8 * i)) & 0xff)
      difference |= bytes[bodyEnd + 4 + i]! ^ ((high >>> (8 * i)) & 0xff)
    }
    return difference === 0 ? bodyEnd : -1
  }
}
