const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads fields from bytes of a stranger. Nothing throws: reading past the end or a bad field sets
 * `failed` and yields a zero value, so a parser reads all its fields and asks once at the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0
  failed = false

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes
    this.#at = offset
  }

  /** Whether every byte was read and none was bad. */
  get isComplete(): boolean {
    return !this.failed && this.#at === this.#bytes.length
  }

  u8(): number {
    return this.#need(1) ? (this.#bytes[this.#at++] as number) : 0
  }

  u16(): number {
    return this.u8() | (this.u8() << 8)
  }

  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0
  }

  /** LEB128 in its shortest form, up to 2^32 - 1. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8()
      if (shift === 28 && byte > 0x0f) break
      value = (value | ((byte & 0x7f) << shift)) >>> 0
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) break
        return value
      }
    }
    this.failed = true
    return 0
  }

  /** A view into the message, not a copy. */
  bytes(length: number): Uint8Array {
    if (!this.#need(length)) return new Uint8Array(0)
    const view = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return view
  }

  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at)
  }

  /** UTF-8 with a length of one byte before it. */
  shortText(): string {
    return this.#text(this.u8())
  }

  /** UTF-8 with a length of two bytes before it. */
  longText(): string {
    return this.#text(this.u16())
  }

  #text(length: number): string {
    try {
      return utf8.decode(this.bytes(length))
    } catch {
      this.failed = true
      return ''
    }
  }

  #need(length: number): boolean {
    if (this.#at + length <= this.#bytes.length && !this.failed) return true
    this.failed = true
    return false
  }
}
