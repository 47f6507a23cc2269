const decoder = new TextDecoder()
const MAX_PLAIN = 64

/** Reads the fields of a frame header. Past the end it gives zeros and says `bad`, so callers check once. */
export class ByteReader {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  /** Where the frame ends. */
  end = 0
  bad = false

  reset(bytes: Uint8Array, at = 0, end: number = bytes.length): this {
    this.bytes = bytes
    this.at = at
    this.end = end
    this.bad = false
    return this
  }

  /** Everything has been read, and nothing was missing. */
  get isDone(): boolean {
    return !this.bad && this.at === this.end
  }

  u8(): number {
    if (this.at >= this.end) return this.#fail()
    return this.bytes[this.at++]!
  }

  u16(): number {
    const low = this.u8()
    return low | (this.u8() << 8)
  }

  u32(): number {
    const { bytes, at } = this
    if (at + 4 > this.end) return this.#fail()
    this.at = at + 4
    return (
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
    )
  }

  /** LEB128, at most 32 bits. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 5; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value > 0xffffffff ? this.#fail() : value
      scale *= 128
    }
    return this.#fail()
  }

  /** A view, valid as long as the message is. */
  raw(length: number): Uint8Array {
    if (length > this.end - this.at) {
      this.#fail()
      return this.bytes.subarray(0, 0)
    }
    const view = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return view
  }

  /** A varint length, then UTF-8. */
  string(maxBytes: number): string {
    const length = this.varint()
    const { bytes, at } = this
    if (this.bad || length > maxBytes || length > this.end - at) {
      this.#fail()
      return ''
    }
    this.at = at + length
    if (length <= MAX_PLAIN) {
      let text = ''
      let i = at
      for (; i < at + length && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
      if (i === at + length) return text
    }
    return decoder.decode(bytes.subarray(at, at + length))
  }

  #fail(): 0 {
    this.bad = true
    this.at = this.end
    return 0
  }
}
