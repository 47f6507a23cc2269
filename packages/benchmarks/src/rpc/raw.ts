import { connect, createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers'
import { Packr } from 'msgpackr'
import { TEXT, type Contender, type EchoClient } from './contender.ts'
import type { Load } from './load.ts'
import { portOf } from './port.ts'

// What one gets out of Node's sockets and msgpackr by hand: a binary header, callbacks, and messages that leave together, at
// the latest at the end of the turn. No promise, deadline, route, check or error: nothing a library could leave out. A
// library may come near it all the same, by spending less on MessagePack than msgpackr does.

/**
 * What one write carries. Some 100 calls: with all 256 in one write the two processes would take turns, one waiting
 * while the other works.
 */
const SLAB_BYTES = 8 * 1024
/** u32 length of what follows, u8 kind, u32 call id. */
const HEADER_BYTES = 9
const CALL = 1
const REPLY = 2

const packr = new Packr({ useRecords: false })

class RawLink {
  readonly #socket: Socket
  readonly #onMessage: (kind: number, id: number, body: unknown) => void
  readonly #slabs: Buffer<ArrayBuffer>[] = []
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #used = 0
  #isFlushDue = false
  #tail: Buffer | undefined

  constructor(socket: Socket, onMessage: (kind: number, id: number, body: unknown) => void) {
    this.#socket = socket
    this.#onMessage = onMessage
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {})
  }

  send(kind: number, id: number, value: unknown): void {
    const body = packr.pack(value)
    const length = HEADER_BYTES + body.length
    if (length > SLAB_BYTES) throw new RangeError(`${length} bytes`)
    if (this.#used + length > SLAB_BYTES) this.#flush()
    const slab = this.#slab
    let at = this.#used
    const follows = length - 4
    slab[at++] = follows
    slab[at++] = follows >>> 8
    slab[at++] = follows >>> 16
    slab[at++] = follows >>> 24
    slab[at++] = kind
    slab[at++] = id
    slab[at++] = id >>> 8
    slab[at++] = id >>> 16
    slab[at++] = id >>> 24
    slab.set(body, at)
    this.#used = at + body.length
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      setImmediate(this.#flushDue)
    }
  }

  readonly #flushDue = (): void => {
    this.#isFlushDue = false
    this.#flush()
  }

  #flush(): void {
    if (this.#used === 0) return
    const slab = this.#slab
    this.#socket.write(slab.subarray(0, this.#used), () => this.#slabs.push(slab))
    this.#slab = this.#slabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#used = 0
  }

  #read(chunk: Buffer): void {
    const bytes = this.#tail === undefined ? chunk : Buffer.concat([this.#tail, chunk])
    const range = { start: 0, end: 0 }
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const end = at + 4 + u32(bytes, at)
      if (end > bytes.length) break
      range.start = at + HEADER_BYTES
      range.end = end
      this.#onMessage(bytes[at + 4]!, u32(bytes, at + 5), packr.unpack(bytes, range))
      at = end
    }
    this.#tail = at === bytes.length ? undefined : bytes.subarray(at)
  }
}

const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

class RawClient implements EchoClient {
  readonly #link: RawLink
  readonly #pending = new Map<number, (result: string) => void>()
  #lastId = 0

  constructor(socket: Socket) {
    this.#link = new RawLink(socket, (_, id, result) => {
      const done = this.#pending.get(id)
      this.#pending.delete(id)
      done?.(result as string)
    })
  }

  call(text: string, done: (result: string) => void): void {
    const id = (this.#lastId = (this.#lastId + 1) >>> 0)
    this.#pending.set(id, done)
    this.#link.send(CALL, id, [text])
  }

  echo(text: string): Promise<string> {
    return new Promise((resolve) => this.call(text, resolve))
  }

  work(load: Load): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (answer: string): void => {
        if (answer.length !== TEXT.length) reject(new Error(`a wrong answer: ${answer}`))
        load.done(1)
        if (load.isOver) resolve()
        else this.call(TEXT, next)
      }
      this.call(TEXT, next)
    })
  }
}

const echo = (text: string): string => text

export const raw: Contender = {
  async serve() {
    const server = createServer((socket) => {
      const link = new RawLink(socket, (_, id, args) => {
        link.send(REPLY, id, echo(...(args as [string])))
      })
    })
    return String(await portOf(server))
  },
  connect: (address) =>
    new Promise((resolve) => {
      const socket = connect({ port: Number(address), host: '127.0.0.1' }, () =>
        resolve(new RawClient(socket)),
      )
    }),
}
