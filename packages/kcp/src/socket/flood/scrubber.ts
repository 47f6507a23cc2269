import { Worker } from 'node:worker_threads'
import { systemClock } from '../../clock.ts'
import type { KcpCounters } from '../counters.ts'
import type { DatagramSocketOptions, ScrubbedSocket, ScrubRules } from '../datagram-socket.ts'

/** On their way between the threads, in each direction; more are dropped, as a socket does whose queue is full. */
export const MAX_PASSING = 4096
/** A thread that has not ended by itself after so long is ended. */
const END_MS = 1000

export type Datagram = readonly [bytes: Uint8Array, address: string, port: number]

/** Counts of one direction, which both threads see: what is on its way is the difference. */
export const PASSED = { in: 0, out: 1 } as const

export interface ScrubberSetup {
  readonly socket: DatagramSocketOptions
  readonly rules: ScrubRules
  /** What has been taken by the other thread, by `PASSED`. */
  readonly taken: Int32Array
}

export type ToScrubber =
  | { readonly kind: 'send'; readonly datagrams: readonly Datagram[] }
  | { readonly kind: 'now'; readonly nowMs: number }
  | { readonly kind: 'end' }

export type FromScrubber =
  | { readonly kind: 'open'; readonly address: string; readonly port: number }
  | { readonly kind: 'datagrams'; readonly datagrams: readonly Datagram[] }
  | { readonly kind: 'counters'; readonly counters: KcpCounters }
  | { readonly kind: 'error'; readonly error: Error }

/**
 * Has a thread bind one more socket to a port and read it.
 *
 * @throws When there can be no such thread, or it cannot have the port.
 */
export async function openScrubber(
  socket: DatagramSocketOptions,
  rules: ScrubRules,
): Promise<ScrubbedSocket> {
  const taken = new Int32Array(new SharedArrayBuffer(8))
  const setup: ScrubberSetup = { socket, rules, taken }
  // Source and build differ in the name of the file; where all was bundled into one there is none, and no thread.
  const { url } = import.meta
  const file = new URL(`./scrubber-thread${url.endsWith('.ts') ? '.ts' : '.js'}`, url)
  const worker = new Worker(file, {
    name: 'kcp',
    workerData: setup,
    // None of the process's own flags and variables: they are not for this thread.
    execArgv: [],
    env: {},
    // What it makes is garbage at once: more room would only be 10 MB more.
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
  })
  return new Promise((resolve, reject) => {
    const scrubber = new Scrubber(worker, taken, () => resolve(scrubber))
    scrubber.onLost = reject
  })
}

class Scrubber implements ScrubbedSocket {
  address = ''
  port = 0
  onDatagram: ScrubbedSocket['onDatagram'] = () => {}
  onError: ScrubbedSocket['onError'] = () => {}
  onCounters: ScrubbedSocket['onCounters'] = () => {}
  onLost: ScrubbedSocket['onLost'] = () => {}
  readonly #worker: Worker
  readonly #taken: Int32Array
  readonly #onOpen: () => void
  #toSend: Datagram[] = []
  #sent = 0
  #failure: Error | undefined
  #hasEnded = false
  #closing: Promise<void> | undefined

  constructor(worker: Worker, taken: Int32Array, onOpen: () => void) {
    this.#worker = worker
    this.#taken = taken
    this.#onOpen = onOpen
    worker.on('message', (message: FromScrubber) => this.#heard(message))
    worker.on('error', (error) => {
      this.#failure = error
    })
    worker.on('exit', (code) => {
      this.#hasEnded = true
      if (this.#closing === undefined)
        this.onLost(this.#failure ?? new Error(`the thread ended with ${code}`))
    })
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    if (this.#hasEnded || this.#closing !== undefined) return false
    const passing = (this.#sent - Atomics.load(this.#taken, PASSED.out)) | 0
    if (passing >= MAX_PASSING) return false
    this.#sent = (this.#sent + 1) | 0
    if (this.#toSend.push([bytes.slice(from, end), address, port]) === 1)
      systemClock.defer(() => this.#flush())
    return true
  }

  setNow(nowMs: number): void {
    this.#tell({ kind: 'now', nowMs })
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  async #end(): Promise<void> {
    if (this.#hasEnded) return
    const ended = new Promise<unknown>((resolve) => {
      this.#worker.once('exit', resolve)
    })
    this.#flush()
    this.#tell({ kind: 'end' })
    const cancel = systemClock.setTimer(END_MS, () => void this.#worker.terminate())
    await ended
    cancel()
  }

  #flush(): void {
    if (this.#toSend.length === 0) return
    this.#tell({ kind: 'send', datagrams: this.#toSend })
    this.#toSend = []
  }

  #tell(message: ToScrubber): void {
    this.#worker.postMessage(message, [])
  }

  #heard(message: FromScrubber): void {
    if (message.kind === 'datagrams') {
      Atomics.add(this.#taken, PASSED.in, message.datagrams.length)
      this.#deliver(message.datagrams, 0)
    } else if (message.kind === 'counters') this.onCounters(message.counters)
    else if (message.kind === 'error') this.onError(message.error)
    else {
      this.address = message.address
      this.port = message.port
      this.#onOpen()
    }
  }

  /** A handler that throws must not keep the next datagram from its own. */
  #deliver(datagrams: readonly Datagram[], from: number): void {
    let at = from
    try {
      for (; at < datagrams.length; at += 1) this.onDatagram(...datagrams[at]!)
    } finally {
      if (at + 1 < datagrams.length) systemClock.defer(() => this.#deliver(datagrams, at + 1))
    }
  }
}
