import { once } from 'node:events'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { freePort, seededRandom, serviceBinary, UdpFaultProxy } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { connectRaw, listenRaw, type KcpSession } from '../../src/index.ts'
import { Kcptun } from './kcptun.ts'
import { encodeSmux, SMUX, SmuxReader } from './smux.ts'

const MESSAGES = 100_000
const LOSSY_MESSAGES = 100_000
const MESSAGE_BYTES = 24
/** Messages in one smux frame: kcptun's own frames hold up to 4 KiB or so. */
const BATCH = 40
const RAW = {
  envelope: 'crc',
  framing: 'stream',
  mtu: 1330,
  sndWnd: 1024,
  rcvWnd: 1024,
  maxBufferedBytes: 64 * 1024 * 1024,
  // The other end is killed at the end: nobody is left to wait for.
  closeTimeoutMs: 100,
} as const

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Message `index`: its number, and bytes that depend on it. */
function writeMessage(target: Buffer, at: number, index: number): void {
  target.writeUInt32LE(index, at)
  for (let i = 4; i < MESSAGE_BYTES; i += 1) target[at + i] = (index * 31 + i * 7) & 0xff
}

/** Checks a stream of messages: each once, in order, whole. */
class Expectation {
  readonly #wanted: number
  readonly #done: () => void
  readonly finished: Promise<void>
  readonly #expected: Buffer = Buffer.alloc(MESSAGE_BYTES)
  #rest: Buffer = Buffer.alloc(0)
  count = 0

  constructor(wanted: number) {
    this.#wanted = wanted
    let done = (): void => {}
    this.finished = new Promise((resolve) => {
      done = resolve
    })
    this.#done = done
  }

  push(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#rest, bytes])
    let at = 0
    for (; all.length - at >= MESSAGE_BYTES; at += MESSAGE_BYTES) {
      writeMessage(this.#expected, 0, this.count)
      if (this.#expected.compare(all, at, at + MESSAGE_BYTES) !== 0)
        throw new Error(`message ${this.count} is not what was sent`)
      this.count += 1
    }
    this.#rest = all.subarray(at)
    if (this.count === this.#wanted) this.#done()
  }
}

/** Messages in batches, for whoever takes them. */
function* batches(count: number): Generator<Buffer> {
  for (let first = 0; first < count; first += BATCH) {
    const size = Math.min(BATCH, count - first)
    const batch = Buffer.alloc(size * MESSAGE_BYTES)
    for (let i = 0; i < size; i += 1) writeMessage(batch, i * MESSAGE_BYTES, first + i)
    yield batch
  }
}

async function tcpEcho(): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

async function drained(session: KcpSession): Promise<void> {
  await new Promise<void>((resolve) => {
    const undo = session.on('drain', () => {
      undo()
      resolve()
    })
  })
}

/** Our client to kcptun's server, with a TCP echo behind it. */
async function throughServer(kcpPort: number, count: number): Promise<Expectation> {
  const session = await connectRaw({ ...RAW, host: '127.0.0.1', port: kcpPort })
  cleanUps.push(() => session.close())
  const reader = new SmuxReader()
  const expectation = new Expectation(count)
  session.onMessage = (bytes) => {
    for (const { command, data } of reader.push(bytes))
      if (command === SMUX.psh) expectation.push(data)
  }
  session.send(encodeSmux(SMUX.syn, 3))
  for (const batch of batches(count))
    if (!session.send(encodeSmux(SMUX.psh, 3, batch))) await drained(session)
  await expectation.finished
  return expectation
}

/** kcptun's client, used by a TCP client, to our listener, which echoes smux frames. */
async function throughClient(tcpPort: number, count: number): Promise<Expectation> {
  const socket = connectTcp(tcpPort, '127.0.0.1')
  cleanUps.push(() => socket.destroy())
  const expectation = new Expectation(count)
  socket.on('data', (bytes) => expectation.push(bytes as Buffer))
  for (const batch of batches(count)) if (!socket.write(batch)) await once(socket, 'drain')
  await expectation.finished
  return expectation
}

function echoSmux(session: KcpSession): void {
  const reader = new SmuxReader()
  session.onMessage = (bytes) => {
    for (const { command, stream, data } of reader.push(bytes))
      if (command === SMUX.psh) session.send(encodeSmux(SMUX.psh, stream, data))
  }
}

async function ourListener(): Promise<number> {
  const listener = await listenRaw(
    { ...RAW, host: '127.0.0.1', port: 0, allow: () => true },
    echoSmux,
  )
  cleanUps.push(() => listener.close())
  return listener.port
}

async function lossy(port: number): Promise<number> {
  const proxy = await UdpFaultProxy.listen({
    target: { host: '127.0.0.1', port },
    random: seededRandom(7),
  })
  cleanUps.push(() => proxy.close())
  proxy.set({
    lossProbability: 0.05,
    duplicateProbability: 0.02,
    reorderProbability: 0.05,
    corruptProbability: 0.01,
    delayMs: 5,
    jitterMs: 5,
  })
  return proxy.port
}

describe.skipIf(!serviceBinary('kcptun'))('kcptun, which has kcp-go inside', () => {
  test('its server echoes 100,000 messages of our client', async () => {
    const port = await freePort()
    await using _server = await Kcptun.server(port, await tcpEcho())
    expect((await throughServer(port, MESSAGES)).count).toBe(MESSAGES)
  })

  test('its client carries 100,000 messages to our listener and back', async () => {
    const port = await freePort()
    await using _client = await Kcptun.client(port, await ourListener())
    expect((await throughClient(port, MESSAGES)).count).toBe(MESSAGES)
  })

  test('its server, over a line that loses, doubles, reorders and spoils', async () => {
    const port = await freePort()
    await using _server = await Kcptun.server(port, await tcpEcho())
    const count = LOSSY_MESSAGES
    expect((await throughServer(await lossy(port), count)).count).toBe(count)
  })

  test('its client, over a line that loses, doubles, reorders and spoils', async () => {
    const port = await freePort()
    await using _client = await Kcptun.client(port, await lossy(await ourListener()))
    const count = LOSSY_MESSAGES
    expect((await throughClient(port, count)).count).toBe(count)
  })
})
