import { Kcp, type KcpOptions } from '../../src/index.ts'

export const CONV = 0x11_22_33_44
export const PUSH = 81
export const ACK = 82
export const WASK = 83
export const WINS = 84

/** Where sequence numbers and the clock begin: the suites run on each side of every place where 32 bits wrap. */
export interface Start {
  readonly where: string
  readonly sn: number
  readonly ms: number
}

export const STARTS: readonly Start[] = [
  { where: '0', sn: 0, ms: 0 },
  { where: '2^31', sn: 2 ** 31 - 20, ms: 2 ** 31 - 300 },
  { where: '2^32', sn: 2 ** 32 - 20, ms: 2 ** 32 - 300 },
]

export interface Segment {
  readonly conv: number
  readonly cmd: number
  readonly frg: number
  readonly wnd: number
  readonly ts: number
  readonly sn: number
  readonly una: number
  readonly payload: Uint8Array
}

export function encode(...segments: readonly Partial<Segment>[]): Buffer {
  return Buffer.concat(
    segments.map((segment) => {
      const { conv = CONV, cmd = PUSH, frg = 0, wnd = 128, ts = 0, sn = 0, una = 0 } = segment
      const { payload = new Uint8Array(0) } = segment
      const header = Buffer.alloc(24)
      header.writeUInt32LE(conv >>> 0, 0)
      header.writeUInt8(cmd, 4)
      header.writeUInt8(frg, 5)
      header.writeUInt16LE(wnd, 6)
      header.writeUInt32LE(ts >>> 0, 8)
      header.writeUInt32LE(sn >>> 0, 12)
      header.writeUInt32LE(una >>> 0, 16)
      header.writeUInt32LE(payload.length, 20)
      return Buffer.concat([header, payload])
    }),
  )
}

export function decode(datagram: Uint8Array): Segment[] {
  const bytes = Buffer.from(datagram)
  const segments: Segment[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 20)
    segments.push({
      conv: bytes.readUInt32LE(at),
      cmd: bytes.readUInt8(at + 4),
      frg: bytes.readUInt8(at + 5),
      wnd: bytes.readUInt16LE(at + 6),
      ts: bytes.readUInt32LE(at + 8),
      sn: bytes.readUInt32LE(at + 12),
      una: bytes.readUInt32LE(at + 16),
      payload: bytes.subarray(at + 24, at + 24 + length),
    })
    at += 24 + length
  }
  return segments
}

/** One end with its outgoing datagrams kept, and numbers relative to where it started. */
export class End {
  readonly kcp: Kcp
  readonly start: Start
  /** Datagrams not yet looked at. */
  sent: Uint8Array[] = []
  #nowMs: number

  constructor(start: Start, options: KcpOptions = {}) {
    this.start = start
    this.#nowMs = start.ms
    this.kcp = new Kcp(
      CONV,
      (buffer, offset, length) => this.sent.push(buffer.slice(offset, offset + length)),
      { nowMs: start.ms, initialSn: start.sn, ...options },
    )
  }

  get nowMs(): number {
    return this.#nowMs
  }

  wait(ms: number): void {
    this.#nowMs += ms
  }

  sn(index: number): number {
    return (this.start.sn + index) >>> 0
  }

  ts(ms: number): number {
    return (this.start.ms + ms) >>> 0
  }

  send(text: string): number {
    return this.kcp.send(Buffer.from(text))
  }

  /** Flushes and gives the segments that went out, numbers relative to the start. */
  flush(): Segment[] {
    this.kcp.flush(this.#nowMs)
    return this.segments()
  }

  segments(): Segment[] {
    const segments = this.sent.flatMap((datagram) => decode(datagram))
    this.sent = []
    return segments.map((segment) => ({
      ...segment,
      ts: (segment.ts - this.start.ms) >>> 0,
      sn: (segment.sn - this.start.sn) >>> 0,
      una: (segment.una - this.start.sn) >>> 0,
    }))
  }

  /** Feeds segments given by numbers relative to the start. */
  input(...segments: readonly Partial<Segment>[]): number {
    const bytes = encode(
      ...segments.map((segment) => ({
        ...segment,
        ts: this.ts(segment.ts ?? 0),
        sn: this.sn(segment.sn ?? 0),
        una: this.sn(segment.una ?? 0),
      })),
    )
    return this.kcp.input(bytes, 0, bytes.length, this.#nowMs)
  }

  receive(): string | undefined {
    const size = this.kcp.peekSize()
    if (size < 0) return undefined
    const target = Buffer.alloc(size)
    this.kcp.receive(target)
    return target.toString()
  }

  receiveAll(): string[] {
    const messages: string[] = []
    for (let text = this.receive(); text !== undefined; text = this.receive()) messages.push(text)
    return messages
  }
}

/** Hands every datagram of `from` to `to`. */
export function deliver(from: End, to: End): void {
  const datagrams = from.sent
  from.sent = []
  for (const datagram of datagrams) to.kcp.input(datagram, 0, datagram.length, to.nowMs)
}
