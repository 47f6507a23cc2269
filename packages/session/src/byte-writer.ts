const utf8 = new TextEncoder()

/** Writes the fields `ByteReader` reads. */
export class ByteWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  u8(value: number): this {
    this.#room(1)
    this.#bytes[this.#length++] = value
    return this
  }

  u16(value: number): this {
    return this.u8(value).u8(value >>> 8)
  }

  u32(value: number): this {
    return this.u16(value).u16(value >>> 16)
  }

  varint(value: number): this {
    let rest = value >>> 0
    for (; rest > 0x7f; rest >>>= 7) this.u8((rest & 0x7f) | 0x80)
    return this.u8(rest)
  }

  bytes(value: ArrayLike<number>): this {
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  shortText(value: string): this {
    const bytes = utf8.encode(value)
    if (bytes.length > 0xff) throw new RangeError(`a text of ${bytes.length} bytes, at most 255`)
    return this.u8(bytes.length).bytes(bytes)
  }

  longText(value: string): this {
    const bytes = utf8.encode(value)
    if (bytes.length > 0xffff)
      throw new RangeError(`a text of ${bytes.length} bytes, at most 65535`)
    return this.u16(bytes.length).bytes(bytes)
  }

  shortTexts(values: readonly string[]): this {
    this.u8(values.length)
    for (const value of values) this.shortText(value)
    return this
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
