import { crc32 } from 'node:zlib'
import { type LinkEnd, type LinkOptions, SimulatedLink } from './link.ts'
import type { PathCounters } from './path.ts'
import { type Percentiles, percentiles } from './percentiles.ts'
import { VirtualTime } from './virtual-time.ts'

/** How long is listened on after the last message. */
const AFTERWARDS_MS = 2000

/** What is simulated: `Kcp` fits, and so does anything else that carries messages over datagrams. */
export interface SimulatedPeer {
  /** Negative: refused for now. */
  send(message: Uint8Array): number
  /** Size of the next whole message, or negative. */
  peekSize(): number
  receive(target: Uint8Array): number
  input(bytes: Uint8Array, offset: number, length: number, nowMs: number): number
  flush(nowMs: number): void
  /** When `flush` is next due. */
  nextDeadline(nowMs: number): number
}

/** Messages from `a` to `b`, numbered, and checked when they arrive. */
export interface Workload {
  /** How many messages. */
  readonly messages: number
  /** Milliseconds between two of them. */
  readonly intervalMs: number
  /** Size of each. */
  readonly bytes: number | ((index: number) => number)
  /** Messages at once. @defaultValue 1 */
  readonly burst?: number
  /** `b` sends each back, and time is taken at its return. @defaultValue false */
  readonly echo?: boolean
}

/** One run. */
export interface SimulationOptions {
  readonly link: LinkOptions
  readonly workload: Workload
  /** Makes one end; `output` is what it calls with finished datagrams. */
  make(
    side: 'a' | 'b',
    output: (buffer: Uint8Array, offset: number, length: number) => void,
    nowMs: number,
  ): SimulatedPeer
  /** `'event'`: flush when `nextDeadline` says so; `'grid'`: only at multiples of `timerMs`. @defaultValue 'event' */
  readonly flush?: 'event' | 'grid'
  /** Timers fire at multiples of this many milliseconds only, as those of a wheel do. @defaultValue 1 */
  readonly timerMs?: number
  /** Put four bytes of checksum on each datagram and drop those that fail, as a session does. @defaultValue false */
  readonly checksum?: boolean
  /** The clock at the start. @defaultValue 0 */
  readonly startMs?: number
  /** Milliseconds for which `send` may refuse one message, and in which all must arrive after the last was sent. @defaultValue 600000 */
  readonly limitMs?: number
}

/** What came of a run. */
export interface SimulationReport {
  /** From the call of `send` to the return of `receive`, in milliseconds. */
  readonly latency: Percentiles
  /** Each of those, in order. */
  readonly samples: readonly number[]
  /** Messages that arrived as they were sent, in order. */
  readonly delivered: number
  /** Messages that arrived wrong or out of order. */
  readonly wrong: number
  /** All arrived, each once, in order and unchanged. */
  readonly isExact: boolean
  /** Times `send` refused; the message was tried again a millisecond later, for `limitMs` at most. */
  readonly refused: number
  readonly payloadBytes: number
  /** Bytes from `a` to `b` with all headers, for each byte of payload. */
  readonly wireRatio: number
  readonly forth: Readonly<PathCounters>
  readonly back: Readonly<PathCounters>
  /** Datagrams dropped because their checksum failed. */
  readonly checksumFailures: number
  /** Virtual time from the first `send` to the last arrival. */
  readonly durationMs: number
  /** Payload bytes a second of virtual time. */
  readonly goodput: number
}

/** Joins one peer to its end of the link, and flushes it when it is due. */
class Side {
  checksumFailures = 0
  peer: SimulatedPeer | undefined
  readonly #time: VirtualTime
  readonly #end: LinkEnd
  readonly #checksum: boolean
  readonly #timerMs: number
  readonly #isGrid: boolean
  readonly #startMs: number
  #cancel: (() => void) | undefined
  #dueMs = Infinity

  constructor(time: VirtualTime, end: LinkEnd, options: SimulationOptions) {
    this.#time = time
    this.#end = end
    this.#checksum = options.checksum ?? false
    this.#timerMs = options.timerMs ?? 1
    this.#isGrid = options.flush === 'grid'
    this.#startMs = time.now()
  }

  begin(peer: SimulatedPeer, onMessage: (message: Uint8Array) => void): void {
    this.peer = peer
    this.#end.onDatagram = (datagram) => {
      const bytes = this.#checksum ? this.#open(datagram) : datagram
      if (bytes === undefined) return
      peer.input(bytes, 0, bytes.length, this.#time.now())
      for (let size = peer.peekSize(); size >= 0; size = peer.peekSize()) {
        const message = new Uint8Array(size)
        peer.receive(message)
        onMessage(message)
      }
      this.touch()
    }
    if (this.#isGrid) this.#tick(peer)
  }

  output(buffer: Uint8Array, offset: number, length: number): void {
    const bytes = buffer.subarray(offset, offset + length)
    if (!this.#checksum) {
      this.#end.send(bytes)
      return
    }
    const sealed = new Uint8Array(length + 4)
    sealed.set(bytes)
    new DataView(sealed.buffer).setUint32(length, crc32(bytes), true)
    this.#end.send(sealed)
  }

  /** Something changed: sees to the next flush. */
  touch(): void {
    if (this.#isGrid) return
    const now = this.#time.now()
    const dueMs = this.#roundUp(now, this.peer!.nextDeadline(now))
    if (dueMs === this.#dueMs) return
    this.#cancel?.()
    this.#dueMs = dueMs
    this.#cancel = dueMs === Infinity ? undefined : this.#wake(dueMs - now)
  }

  /** What arrives in the millisecond of a timer is read before its flush. */
  #wake(delayMs: number): () => void {
    return this.#time.setTimer(delayMs, () => {
      if (delayMs > 0) {
        this.#cancel = this.#wake(0)
        return
      }
      this.#cancel = undefined
      this.#dueMs = Infinity
      this.peer!.flush(this.#time.now())
      this.touch()
    })
  }

  #roundUp(now: number, dueMs: number): number {
    if (dueMs <= now) return now
    return this.#startMs + Math.ceil((dueMs - this.#startMs) / this.#timerMs) * this.#timerMs
  }

  #tick(peer: SimulatedPeer): void {
    peer.flush(this.#time.now())
    this.#time.setTimer(this.#timerMs, () => this.#tick(peer))
  }

  #open(datagram: Uint8Array): Uint8Array | undefined {
    const length = datagram.length - 4
    const view = new DataView(datagram.buffer, datagram.byteOffset)
    const bytes = datagram.subarray(0, Math.max(0, length))
    if (length >= 0 && view.getUint32(length, true) === crc32(bytes)) return bytes
    this.checksumFailures += 1
    return undefined
  }
}

function fill(message: Uint8Array, index: number): void {
  for (let at = 0; at < message.length; at += 1)
    message[at] = at < 4 ? index >>> (at << 3) : (index + at * 7) & 0xff
}

function isAsSent(message: Uint8Array, index: number, length: number): boolean {
  if (message.length !== length) return false
  for (let at = 0; at < length; at += 1)
    if (message[at] !== (at < 4 ? (index >>> (at << 3)) & 0xff : (index + at * 7) & 0xff))
      return false
  return true
}

/** Runs a workload between two peers over a simulated link, in virtual time, and reports. */
export function simulate(options: SimulationOptions): SimulationReport {
  const { workload, startMs = 0, limitMs = 600_000 } = options
  const { messages, intervalMs, burst = 1, echo = false } = workload
  const sizeOf = (index: number): number =>
    typeof workload.bytes === 'number' ? workload.bytes : workload.bytes(index)
  const time = new VirtualTime(startMs)
  const link = new SimulatedLink(time, options.link)
  const a = new Side(time, link.a, options)
  const b = new Side(time, link.b, options)
  const sentAt = new Float64Array(messages)
  const latencies: number[] = []
  let sent = 0
  let arrived = 0
  let wrong = 0
  let refused = 0
  let payloadBytes = 0
  let lastMs = startMs

  const arrive = (message: Uint8Array): void => {
    const index = arrived
    arrived += 1
    if (index >= messages || !isAsSent(message, index, sizeOf(index))) {
      wrong += 1
      return
    }
    lastMs = time.now()
    latencies.push(lastMs - sentAt[index]!)
  }
  // What b could not send back at once waits here.
  const echoes: Uint8Array[] = []
  const sendBack = (): void => {
    while (echoes.length > 0 && b.peer!.send(echoes[0]!) >= 0) echoes.shift()
    if (echoes.length > 0) time.setTimer(1, sendBack)
    b.touch()
  }
  const peer = options.make(
    'a',
    (buffer, offset, length) => a.output(buffer, offset, length),
    startMs,
  )
  a.begin(peer, arrive)
  b.begin(
    options.make('b', (buffer, offset, length) => b.output(buffer, offset, length), startMs),
    echo ? (message) => void (echoes.push(message) === 1 && sendBack()) : arrive,
  )

  let endMs = Infinity
  const make = (index: number): Uint8Array => {
    const message = new Uint8Array(sizeOf(index))
    fill(message, index)
    sentAt[index] = time.now()
    return message
  }
  const send = (refusedBefore?: Uint8Array): void => {
    let message = refusedBefore ?? make(sent)
    for (;;) {
      if (peer.send(message) < 0) {
        refused += 1
        // One that is over, or to which the message is too large, never takes it.
        if (time.now() - sentAt[sent]! < limitMs) time.setTimer(1, () => send(message))
        else endMs = time.now()
        return
      }
      a.touch()
      payloadBytes += message.length
      sent += 1
      if (sent === messages) return
      if (sent % burst === 0) break
      message = make(sent)
    }
    const dueMs = sentAt[sent - burst]! + intervalMs
    time.setTimer(Math.max(0, dueMs - time.now()), () => send())
  }
  time.setTimer(0, () => send())
  const isRunning = (): boolean => arrived < messages && time.now() <= endMs
  while (isRunning() && time.step())
    if (sent === messages && endMs === Infinity) endMs = time.now() + limitMs
  const [forth, back] = [{ ...link.a.counters }, { ...link.b.counters }]
  const checksumFailures = a.checksumFailures + b.checksumFailures
  // One that came twice would come now.
  const untilMs = time.now() + AFTERWARDS_MS
  const isListening = (): boolean => arrived >= messages && time.now() < untilMs
  while (isListening() && time.step());

  return {
    latency: percentiles(latencies),
    samples: latencies,
    delivered: latencies.length,
    wrong,
    isExact: wrong === 0 && latencies.length === messages,
    refused,
    payloadBytes,
    wireRatio: forth.bytes / Math.max(1, payloadBytes),
    forth,
    back,
    checksumFailures,
    durationMs: lastMs - startMs,
    goodput: (payloadBytes * 1000) / Math.max(1, lastMs - startMs),
  }
}
