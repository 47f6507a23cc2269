import type { Socket } from 'node:net'
import { corrupted } from './faults.ts'
import { clearImmediate, clearTimeout, now, setImmediate, setTimeout } from './real-time.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { TcpFaults } from './tcp-faults.ts'

/** Bytes held back by delay or bandwidth before the source is paused. */
const MAX_HELD_BYTES = 1024 * 1024

interface Chunk {
  /** What is left of it; undefined is the end of the stream. */
  bytes: Uint8Array | undefined
  dueMs: number
  readonly sliceBytes: number
}

export interface TcpPumpEvents {
  /** So many bytes were written to the destination. */
  readonly onPassed: (bytes: number) => void
  /** The byte was written after which a cut was asked for. */
  readonly onCutDue: () => void
}

/** Carries one direction of a link from socket to socket, with its faults. */
export class TcpPump {
  readonly #faults: TcpFaults
  readonly #source: Socket
  readonly #random: SeededRandom
  readonly #events: TcpPumpEvents
  #destination: Socket | undefined
  readonly #chunks: Chunk[] = []
  #heldBytes = 0
  #lastDueMs = 0
  #lineFreeMs = 0
  #bytesUntilCut: number | undefined
  #isFull = false
  #isStopped = false
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined

  constructor(
    source: Socket,
    random: SeededRandom,
    faults: Readonly<TcpFaults>,
    events: TcpPumpEvents,
  ) {
    this.#faults = { ...faults }
    this.#source = source
    this.#random = random
    this.#events = events
    source.on('data', (chunk: Buffer) => this.#take(chunk))
    source.once('end', () => this.#enqueue(undefined))
    source.pause()
  }

  /** Begins to carry. */
  start(destination: Socket): void {
    this.#destination = destination
    destination.on('drain', () => {
      this.#isFull = false
      this.#update()
    })
    this.#update()
  }

  get isStalled(): boolean {
    return this.#faults.isStalled
  }

  setFaults(faults: Partial<TcpFaults>): void {
    Object.assign(this.#faults, faults)
    const { delayMs, jitterMs, bytesPerSecond } = this.#faults
    if (delayMs + jitterMs + bytesPerSecond === 0) this.#releaseHeld()
    this.#update()
  }

  /** Cuts when this many more bytes have been written. */
  cutAfter(bytes: number): void {
    this.#bytesUntilCut = bytes
  }

  stop(): void {
    this.#isStopped = true
    this.#chunks.length = 0
    this.#clearTimer()
    this.#source.pause()
  }

  #update(): void {
    if (this.#isStopped) return
    const mayRead =
      this.#destination !== undefined &&
      !this.#faults.isStalled &&
      !this.#isFull &&
      this.#heldBytes < MAX_HELD_BYTES
    if (mayRead) this.#source.resume()
    else this.#source.pause()
    this.#schedule()
  }

  #take(chunk: Uint8Array): void {
    if (this.#isStopped) return
    this.#enqueue(corrupted(chunk, this.#faults.corruptProbability, this.#random) ?? chunk)
    this.#update()
  }

  #enqueue(bytes: Uint8Array | undefined): void {
    const { delayMs, jitterMs, sliceBytes, bytesPerSecond } = this.#faults
    const nowMs = now()
    const size = bytes?.length ?? 0
    let dueMs = nowMs + delayMs + (jitterMs > 0 ? this.#random.next() * jitterMs : 0)
    if (bytesPerSecond > 0) {
      this.#lineFreeMs = Math.max(nowMs, this.#lineFreeMs) + (size * 1000) / bytesPerSecond
      dueMs = Math.max(dueMs, this.#lineFreeMs + delayMs)
    }
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs)
    this.#heldBytes += size
    this.#chunks.push({ bytes, dueMs: this.#lastDueMs, sliceBytes })
    this.#schedule()
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isStopped) return
    const first = this.#chunks[0]
    if (first === undefined || !this.#mayWrite()) return
    const waitMs = first.dueMs - now()
    if (waitMs > 0) this.#timer = setTimeout(() => this.#onTimer(), Math.ceil(waitMs))
    else if (first.sliceBytes > 0) this.#timer = setImmediate(() => this.#onTimer())
    else this.#writeDue()
  }

  /** Without delays nothing needs to wait any longer. */
  #releaseHeld(): void {
    this.#lastDueMs = 0
    this.#lineFreeMs = 0
    for (const chunk of this.#chunks) chunk.dueMs = 0
    this.#clearTimer()
  }

  #clearTimer(): void {
    clearTimeout(this.#timer as NodeJS.Timeout)
    clearImmediate(this.#timer as NodeJS.Immediate)
    this.#timer = undefined
  }

  #onTimer(): void {
    this.#timer = undefined
    this.#writeDue()
    this.#update()
  }

  #mayWrite(): boolean {
    return this.#destination !== undefined && !this.#faults.isStalled && !this.#isFull
  }

  #writeDue(): void {
    const nowMs = now()
    for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
      if (first.dueMs > nowMs || !this.#mayWrite()) break
      this.#writeFrom(first)
      // A slice leaves in a loop turn of its own, so that it is a segment of its own.
      if (first.sliceBytes > 0) break
    }
    this.#schedule()
  }

  #writeFrom(chunk: Chunk): void {
    if (chunk.bytes === undefined) {
      this.#chunks.shift()
      this.#destination!.end()
      return
    }
    const size = chunk.sliceBytes > 0 ? 1 + this.#random.int(chunk.sliceBytes) : chunk.bytes.length
    const piece = chunk.bytes.subarray(0, size)
    chunk.bytes = chunk.bytes.subarray(piece.length)
    if (chunk.bytes.length === 0) this.#chunks.shift()
    this.#heldBytes -= piece.length
    this.#write(piece)
  }

  #write(bytes: Uint8Array): void {
    const until = this.#bytesUntilCut
    const passing = until === undefined ? bytes : bytes.subarray(0, until)
    const isLast = until === passing.length
    if (until !== undefined) this.#bytesUntilCut = until - passing.length
    this.#isFull = !this.#destination!.write(passing, () => {
      // A reset throws away what the system has not sent yet, so it waits for the write.
      if (isLast) this.#events.onCutDue()
    })
    this.#events.onPassed(passing.length)
    if (isLast) this.stop()
  }
}
