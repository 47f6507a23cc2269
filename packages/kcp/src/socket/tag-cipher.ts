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
  readonly #keys: readonly number[]
  readonly #sendAt: number
  readonly #receiveAt: number

  /**
   * @param keys - Eight words: the client's key for what it sends, then the listener's.
   * @param end - Whose cipher this is.
   */
  constructor(keys: readonly number[], end: 'client' | 'listener') {
    this.#keys = keys
    this.#sendAt = end === 'client' ? 0 : 4
    this.#receiveAt = 4 - this.#sendAt
  }

  seal(bytes: Uint8Array, headerStart: number, _bodyStart: number, bodyEnd: number): number {
    siphash24(this.#keys, this.#sendAt, bytes, headerStart, bodyEnd, tag)
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
    siphash24(this.#keys, this.#receiveAt, bytes, headerStart, bodyEnd, tag)
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
