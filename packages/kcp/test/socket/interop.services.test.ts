import { once } from 'node:events'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { freePort, seededRandom, serviceBinary, UdpFaultProxy } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { connectRaw, listenRaw, type KcpSession, type KcpSessionStats } from '../../src/index.ts'
import { keep, record } from '../support/recording.ts'
import { KCPTUN, MESSAGES, PEERS, replay, sentBy } from '../support/transcript.ts'
import { Kcptun } from './kcptun.ts'
import { encodeSmux, SMUX, SmuxReader } from './smux.ts'

const COUNT = 100_000
/** All of them take about so many KCP segments each way. */
const SEGMENTS = 20_000
const MIN_BYTES = 24
const MAX_BYTES = 1200
/** Of a smux frame: kcptun's own hold up to 4 KiB or so. */
const FRAME_BYTES = 4096
const RAW = {
  ...KCPTUN,
  maxBufferedBytes: 64 * 1024 * 1024,
  // The other end is killed at the end: nobody is left to wait for.
  closeTimeoutMs: 100,
} as const

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Many small ones, and each third any size. */
const sizeOf = (index: number): number =>
  MIN_BYTES + ((index * 97) % (index % 3 === 0 ? MAX_BYTES - MIN_BYTES + 1 : 170))

/** Message `index`: its number, and bytes that depend on it. */
function writeMessage(target: Buffer, at: number, index: number): number {
  const end = at + sizeOf(index)
  target.writeUInt32LE(index, at)
  for (let i = at + 4; i < end; i += 1) target[i] = index * 31 + (i - at) * 7
  return end
}

/** Checks a stream of messages: each once, in order, whole. */
class Expectation {
  readonly #wanted: number
  readonly #done: () => void
  readonly finished: Promise<void>
  readonly #expected: Buffer = Buffer.alloc(MAX_BYTES)
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
    for (;;) {
      const size = sizeOf(this.count)
      if (all.length - at < size) break
      writeMessage(this.#expected, 0, this.count)
      if (this.#expected.compare(all, at, at + size, 0, size) !== 0)
        throw new Error(`message ${this.count} is not what was sent`)
      at += size
      this.count += 1
    }
    this.#rest = all.subarray(at)
    if (this.count === this.#wanted) this.#done()
  }
}

/** Messages in batches, for whoever takes them. */
function* batches(count: number): Generator<Buffer> {
  const batch = Buffer.alloc(FRAME_BYTES)
  let end = 0
  for (let index = 0; index < count; index += 1) {
    if (end + sizeOf(index) > FRAME_BYTES) {
      yield Buffer.from(batch.subarray(0, end))
      end = 0
    }
    end = writeMessage(batch, end, index)
  }
  yield batch.subarray(0, end)
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
async function throughServer(kcpPort: number): Promise<Outcome> {
  const session = await connectRaw({ ...RAW, host: '127.0.0.1', port: kcpPort })
  cleanUps.push(() => session.close())
  const reader = new SmuxReader()
  const expectation = new Expectation(COUNT)
  session.onMessage = (bytes) => {
    for (const { command, data } of reader.push(bytes))
      if (command === SMUX.psh) expectation.push(data)
  }
  session.send(encodeSmux(SMUX.syn, 3))
  for (const batch of batches(COUNT))
    if (!session.send(encodeSmux(SMUX.psh, 3, batch))) await drained(session)
  await expectation.finished
  return { count: expectation.count, stats: session.stats() }
}

/** kcptun's client, used by a TCP client, to our listener, which echoes smux frames. */
async function throughClient(tcpPort: number, { sessions }: OurListener): Promise<Outcome> {
  const socket = connectTcp(tcpPort, '127.0.0.1')
  cleanUps.push(() => socket.destroy())
  const expectation = new Expectation(COUNT)
  socket.on('data', (bytes) => expectation.push(bytes as Buffer))
  for (const batch of batches(COUNT)) if (!socket.write(batch)) await once(socket, 'drain')
  await expectation.finished
  expect(sessions).toHaveLength(1)
  return { count: expectation.count, stats: sessions[0]!.stats() }
}

interface Outcome {
  readonly count: number
  /** Of our end. */
  readonly stats: KcpSessionStats
}

/** Everything came, and it was no small thing. */
function expectAll({ count, stats }: Outcome, isLossy = false): void {
  expect(count).toBe(COUNT)
  expect(stats.segmentsOut).toBeGreaterThan(SEGMENTS)
  expect(stats.segmentsIn).toBeGreaterThan(SEGMENTS)
  if (!isLossy) return
  expect(stats.timeoutResends + stats.fastResends).toBeGreaterThan(SEGMENTS / 40)
  expect(stats.duplicates).toBeGreaterThan(SEGMENTS / 100)
}

/** Reads no faster than it can send: with all that waits, a window at a time, it would flood the proxy. */
function echoSmux(session: KcpSession): void {
  const reader = new SmuxReader()
  session.on('drain', () => session.resume())
  session.onMessage = (bytes) => {
    for (const { command, stream, data } of reader.push(bytes))
      if (command === SMUX.psh && !session.send(encodeSmux(SMUX.psh, stream, data))) session.pause()
  }
}

interface OurListener {
  readonly port: number
  readonly sessions: readonly KcpSession[]
}
async function ourListener(): Promise<OurListener> {
  const sessions: KcpSession[] = []
  const options = { ...RAW, host: '127.0.0.1', port: 0, allow: () => true }
  const listener = await listenRaw(options, (session) => {
    sessions.push(session)
    echoSmux(session)
  })
  cleanUps.push(() => listener.close())
  return { port: listener.port, sessions }
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
    expectAll(await throughServer(port))
  })

  test('its client carries 100,000 messages to our listener and back', async () => {
    const port = await freePort()
    const ours = await ourListener()
    await using _client = await Kcptun.client(port, ours.port)
    expectAll(await throughClient(port, ours))
  })

  test.each(PEERS)(
    '%s on a bad line: our end sends the same bytes again when the same comes at the same times',
    async (peer) => {
      const run = await record(peer)
      if (process.env['KEEP_TRANSCRIPTS'] !== undefined) keep(peer, run)
      const { heard, sent } = await replay(peer, run)
      expect(heard.equals(Buffer.concat(MESSAGES))).toBe(true)
      expect(sent).toEqual(sentBy(run))
    },
  )

  test('its server, over a line that loses, doubles, reorders and spoils', async () => {
    const port = await freePort()
    await using _server = await Kcptun.server(port, await tcpEcho())
    expectAll(await throughServer(await lossy(port)), true)
  })

  test('its client, over a line that loses, doubles, reorders and spoils', async () => {
    const port = await freePort()
    const ours = await ourListener()
    await using _client = await Kcptun.client(port, await lossy(ours.port))
    expectAll(await throughClient(port, ours), true)
  })
})
