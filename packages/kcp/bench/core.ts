import { execFileSync } from 'node:child_process'
import { type BenchCheck, type BenchRow, check, interleave } from '../../../bench.base.ts'
import { Kcp } from '../src/index.ts'
import { originalProgram } from './original-program.ts'

const SLOTS = 8192
const SLOT_BYTES = 1536

/** One memory for all pairs, as the C program has it: another for each would measure where its pages lie. */
const SLOTS_FORTH: Buffer = Buffer.alloc(SLOTS * SLOT_BYTES)
const SLOTS_BACK: Buffer = Buffer.alloc(SLOTS * SLOT_BYTES)

class DatagramRing {
  readonly #bytes: Buffer
  readonly #lengths: Int32Array = new Int32Array(SLOTS)
  #head = 0
  #tail = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

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
class CorePair {
  received = 0
  readonly #a: Kcp
  readonly #b: Kcp
  readonly #forth: DatagramRing = new DatagramRing(SLOTS_FORTH)
  readonly #back: DatagramRing = new DatagramRing(SLOTS_BACK)
  readonly #message: Uint8Array
  readonly #target: Uint8Array = Buffer.alloc(65_536)
  readonly #window: number
  #nowMs = 0

  constructor(payloadBytes: number, window: number) {
    const options = {
      nodelay: 1,
      interval: 10,
      resend: 2,
      nc: true,
      sndWnd: window,
      rcvWnd: window,
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
    for (let round = 0; round < 200; round += 1) this.round()
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

/** Short and many, as the machine is now faster and now slower. */
const MEASURE_MS = 400
const ROUNDS = 11
const CASES = [
  { bytes: 100, window: 128, goal: '>= 0.4' },
  { bytes: 1376, window: 128, goal: '>= 0.35' },
  { bytes: 32, window: 128, goal: '>= 0.33' },
  { bytes: 1376, window: 1024, goal: '>= 0.8' },
] as const

/** Messages a second of the core alone, against the C original where that is at hand. */
export async function throughput(rows: BenchRow[], checks: BenchCheck[]): Promise<void> {
  const original = originalProgram('ikcp-pair')
  for (const { bytes, window, goal } of CASES) {
    const name = `core pair, ${bytes} B, window ${window}`
    const ours = (): number => new CorePair(bytes, window).measure(MEASURE_MS)
    const measured = await interleave(
      name,
      'messages/s',
      original === undefined
        ? { '@rts/kcp': ours }
        : {
            'ikcp.c -O2': () => Number(execFileSync(original, [`${bytes}`, `${window}`, '600'])),
            '@rts/kcp': ours,
          },
    )
    rows.push(...measured)
    if (original !== undefined)
      checks.push(check(`${name}: share of ikcp.c`, measured[1]!.ratio, goal))
  }
}

/** What ten million segments leave on the heap, and what each takes for a moment. */
export function heapGrowth(rows: BenchRow[], checks: BenchCheck[]): void {
  const pair = new CorePair(100, 128)
  const carry = (segments: number): number => {
    const until = pair.received + segments
    while (pair.received < until) pair.round()
    return process.memoryUsage().heapUsed
  }
  carry(500_000)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const moment = (carry(100_000) - before) / 100_000
  carry(10_000_000)
  globalThis.gc?.()
  const growth = Math.max(0, process.memoryUsage().heapUsed - before) / 10_000_000
  const row = { contender: '@rts/kcp', unit: 'B/segment', ratio: 1 }
  rows.push({ case: 'heap growth over 10^7 segments', value: growth, ...row })
  rows.push({ case: 'garbage over 10^5 segments', value: moment, ...row })
  checks.push(check('heap growth over 10^7 segments, B each', growth, '<= 16'))
  checks.push(check('garbage over 10^5 segments, B each', moment, '<= 16'))
}
