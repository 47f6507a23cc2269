/**
 * smux version 1, as kcptun speaks it inside its KCP stream: frames of version u8, command u8, length u16,
 * stream u32, all little endian.
 */
export const SMUX = { syn: 0, fin: 1, psh: 2, nop: 3 } as const
const HEADER_BYTES = 8

export interface SmuxFrame {
  readonly command: number
  readonly stream: number
  readonly data: Uint8Array
}

export function encodeSmux(
  command: number,
  stream: number,
  data: Uint8Array = new Uint8Array(0),
): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + data.length)
  frame[0] = 1
  frame[1] = command
  frame.writeUInt16LE(data.length, 2)
  frame.writeUInt32LE(stream, 4)
  frame.set(data, HEADER_BYTES)
  return frame
}

/** Cuts a byte stream into frames. */
export class SmuxReader {
  #rest: Buffer = Buffer.alloc(0)

  push(bytes: Uint8Array): SmuxFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes])
    const frames: SmuxFrame[] = []
    let at = 0
    while (this.#rest.length - at >= HEADER_BYTES) {
      if (this.#rest[at] !== 1) throw new Error(`smux version ${this.#rest[at]}`)
      const end = at + HEADER_BYTES + this.#rest.readUInt16LE(at + 2)
      if (end > this.#rest.length) break
      frames.push({
        command: this.#rest[at + 1]!,
        stream: this.#rest.readUInt32LE(at + 4),
        data: this.#rest.subarray(at + HEADER_BYTES, end),
      })
      at = end
    }
    this.#rest = this.#rest.subarray(at)
    return frames
  }
}
