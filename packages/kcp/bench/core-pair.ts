// The core on its own, in memory. Run: core-pair.ts <payload bytes> <window> <milliseconds> [ackAll]
import { Kcp } from '../src/index.ts'

const WARM_MS = 200
const SLOTS = 8192
const SLOT_BYTES = 1536

class DatagramRing {
  readonly #bytes: Buffer = Buffer.alloc(SLOTS * SLOT_BYTES)
  readonly #lengths: Int32Array = new Int32Array(SLOTS)
  #head = 0
  #tail = 0

  put(buffer: Uint8Array, offset: number, length: number): void {
    const slot = this.#tail & (SLOTS - 1)
    Buffer.prototype.copy.call(buffer, this.#bytes, slot * SLOT_BYTES, offset, offset + length)
    this.#lengths[slot] = length
    this.#tail = (this.#tail + 1) | 0
  }

  drain(kcp: Kcp, nowMs: number): void {
    while (this.#head !== this.#tail) {
      const slot = this.#head & (SLOTS - 1)
      kcp.input(this.#bytes, slot * SLOT_BYTES, this.#lengths[slot]!, nowMs)
      this.#head = (this.#head + 1) | 0
    }
  }
}

/** An in-memory pair without loss: `nodelay(1, 10, 2, 1)`, one round is 10 ms, the sender is kept at two windows. */
export class CorePair {
  received = 0
  readonly #a: Kcp
  readonly #b: Kcp
  readonly #forth: DatagramRing = new DatagramRing()
  readonly #back: DatagramRing = new DatagramRing()
  readonly #message: Uint8Array
  readonly #target: Uint8Array = Buffer.alloc(65_536)
  readonly #window: number
  #nowMs = 0

  /** @param ackAll - Acknowledges each segment by itself, as the original does, also where `una` says it. */
  constructor(payloadBytes: number, window: number, ackAll = false) {
    const options = {
      nodelay: 1,
      interval: 10,
      resend: 2,
      nc: true,
      sndWnd: window,
      rcvWnd: window,
      ackAll,
    }
    this.#a = new Kcp(
      1,
      (buffer, offset, length) => this.#forth.put(buffer, offset, length),
      options,
    )
    this.#b = new Kcp(
      1,
      (buffer, offset, length) => this.#back.put(buffer, offset, length),
      options,
    )
    this.#message = Buffer.alloc(payloadBytes, 7)
    this.#window = window
  }

  round(): void {
    const now = this.#nowMs
    const a = this.#a
    const b = this.#b
    while (a.waitSnd < 2 * this.#window) a.send(this.#message)
    a.flush(now)
    this.#forth.drain(b, now)
    for (;;) {
      const size = b.receive(this.#target)
      if (size < 0) break
      if (size !== this.#message.length) throw new Error(`received ${size} bytes`)
      this.received += 1
    }
    b.flush(now)
    this.#back.drain(a, now)
    this.#nowMs += 10
  }

  /** Messages a second. */
  measure(limitMs: number): number {
    const warm = performance.now() + WARM_MS
    while (performance.now() < warm) this.round()
    const before = this.received
    const start = performance.now()
    let elapsed = 0
    while (elapsed < limitMs) {
      for (let round = 0; round < 16; round += 1) this.round()
      elapsed = performance.now() - start
    }
    return ((this.received - before) / elapsed) * 1000
  }
}

if (import.meta.main) {
  const [load, ackAll] = [process.argv.slice(2, 5), process.argv[5] === 'ackAll']
  const [bytes = 100, window = 128, limitMs = 400] = load.map(Number)
  console.log(Math.round(new CorePair(bytes, window, ackAll).measure(limitMs)))
}
