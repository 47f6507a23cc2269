import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { eventually } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connect,
  listen,
  type Clock,
  type DatagramSocket,
  type KcpListener,
  type KcpSession,
  type KcpWorker,
  type OpenDatagramSocket,
} from '../../src/index.ts'
import { systemClock } from '../../src/clock.ts'
import { ConvFilter } from '../../src/socket/flood/conv-filter.ts'
import { addCounters, newCounters } from '../../src/socket/counters.ts'
import type { ScrubbedSocket, ScrubRules, Siblings } from '../../src/socket/datagram-socket.ts'
import { HELLO_NONCE_AT, KIND, NONCE_BYTES, writeU32 } from '../../src/socket/datagram.ts'
import { openUdpSocket } from '../../src/socket/udp-socket.ts'
import { helloOf } from '../support/hello.ts'

const HOST = '127.0.0.1'
const SIZES = { reusePort: false, bufferBytes: 1024 * 1024 }
const RULES: ScrubRules = {
  maxRetriesPerSecond: 100,
  tokenKey: new Uint8Array(32).fill(3),
  nowMs: 1_000_000,
}
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function open(): Promise<DatagramSocket> {
  const socket = await openUdpSocket({ ...SIZES, bind: { host: HOST, port: 0 } })
  cleanUps.push(() => socket.close())
  return socket
}

interface Scrubbed {
  readonly scrubber: ScrubbedSocket
  readonly counters: ReturnType<typeof newCounters>
  /** What passed. */
  readonly got: Uint8Array[]
  readonly client: DatagramSocket
  /** What the client got. */
  readonly answers: Uint8Array[]
  send(bytes: Uint8Array): void
}

async function scrubbed(rules: Partial<ScrubRules> = {}): Promise<Scrubbed> {
  const port = await open()
  const scrubber = await port.siblings!.scrubbed({ ...RULES, ...rules })
  cleanUps.push(() => scrubber.close())
  await port.close()
  const client = await open()
  const got: Uint8Array[] = []
  const answers: Uint8Array[] = []
  const counters = newCounters()
  scrubber.onDatagram = (bytes) => got.push(bytes)
  scrubber.onCounters = (more) => addCounters(counters, more)
  client.onDatagram = (bytes) => answers.push(bytes)
  const send = (bytes: Uint8Array): void =>
    void client.send(bytes, 0, bytes.length, scrubber.port, HOST)
  return { scrubber, counters, got, client, answers, send }
}

/** The system has datagrams for the port that nobody has read. */
function waitsToBeRead(port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const sockets = readFileSync('/proc/net/udp', 'utf8').split('\n')
  return !sockets.find((each) => each.includes(` ${address} `))!.includes(':00000000 00:')
}

const sealedOf = (conv: number, kind: number = KIND.kcp): Uint8Array => {
  const bytes = new Uint8Array(64)
  bytes[0] = kind
  writeU32(bytes, 1, conv)
  return bytes
}

// Only some systems have it.
describe.runIf(process.platform === 'linux')('a thread that reads a port', () => {
  test('answers first hellos, and passes those with a token it made', async () => {
    const { counters, got, answers, send } = await scrubbed()
    const nonce = new Uint8Array(8).fill(9)
    send(helloOf(nonce))
    await eventually(() => answers.length === 1)
    expect(answers[0]![0]).toBe(KIND.retry)
    const token = answers[0]!.subarray(9)
    const proven = helloOf(nonce, token)
    send(
      helloOf(
        nonce,
        token.map((byte) => byte ^ 1),
      ),
    )
    send(proven)
    await eventually(() => got.length === 1)
    expect(got[0]).toEqual(proven)
    await eventually(() => counters.retries === 1 && counters.dropped.badToken === 1)
    expect(counters.datagramsIn).toBe(2)
    expect(counters.datagramsOut).toBe(1)
  })

  test('drops hellos above the budget, what is no datagram of ours, and conversations nobody has', async () => {
    const filter = new ConvFilter()
    filter.add(77)
    filter.add(77 + 65_536)
    filter.delete(77)
    const { counters, got, send } = await scrubbed({ convs: filter.shared })
    for (let n = 0; n < 300; n += 1) send(helloOf(new Uint8Array(8).fill(n)))
    send(Uint8Array.of(99, 1))
    send(new Uint8Array(0))
    send(new Uint8Array(1501).fill(KIND.kcp))
    send(Uint8Array.of(KIND.kcp, 1, 2, 3))
    send(sealedOf(78))
    send(sealedOf(77))
    await eventually(() => got.length === 1)
    expect(got[0]).toEqual(sealedOf(77))
    await eventually(() => counters.dropped.unknownConv === 1)
    const { retryBudget, unknownKind, tooShort, tooLong } = counters.dropped
    expect(retryBudget).toBeGreaterThan(100)
    expect([unknownKind, tooShort, tooLong]).toEqual([1, 2, 1])
    filter.delete(77 + 65_536)
    send(sealedOf(77))
    await eventually(() => counters.dropped.unknownConv === 2)
  })

  test('sends from the port, each as it was when it was given, also what was given just before the end', async () => {
    const { scrubber, client, answers } = await scrubbed()
    const bytes = new Uint8Array(100)
    const from: number[] = []
    client.onDatagram = (datagram, _, port) => {
      answers.push(datagram)
      from.push(port)
    }
    for (let n = 0; n < 50; n += 1) {
      bytes.fill(n)
      expect(scrubber.send(bytes, 10, 20, client.port, HOST)).toBe(true)
    }
    await scrubber.close()
    expect(scrubber.send(bytes, 0, 1, client.port, HOST)).toBe(false)
    await eventually(() => answers.length === 50)
    expect(answers.map((datagram) => [...datagram])).toEqual(
      Array.from({ length: 50 }, (_, n) => Array.from({ length: 10 }, () => n)),
    )
    expect(new Set(from)).toEqual(new Set([scrubber.port]))
  })

  test('takes no more to send than it can hold', async () => {
    const { scrubber, client } = await scrubbed()
    const taken = Array.from({ length: 5000 }, () =>
      scrubber.send(new Uint8Array(1), 0, 1, client.port, HOST),
    )
    expect(taken.filter(Boolean)).toHaveLength(4096)
    await eventually(() => scrubber.send(new Uint8Array(1), 0, 1, client.port, HOST))
  })

  test('passes no more than is taken, and tells what it dropped', async () => {
    const { scrubber, counters, got, send } = await scrubbed()
    // Nothing is taken while this turn lasts.
    for (let batch = 0; batch < 10; batch += 1) {
      for (let n = 0; n < 500; n += 1) send(sealedOf(1))
      while (waitsToBeRead(scrubber.port));
    }
    await eventually(() => got.length + counters.dropped.receiveQueue === 5000)
    expect(got.length).toBeGreaterThanOrEqual(4096)
    expect(counters.dropped.receiveQueue).toBeGreaterThan(800)
    const before = got.length
    await eventually(() => {
      send(sealedOf(2))
      return got.length > before
    })
  })

  test('a handler that throws keeps no datagram from the next', async () => {
    const { scrubber, send } = await scrubbed()
    const got: number[] = []
    const errors: unknown[] = []
    const [caught] = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => errors.push(error))
    cleanUps.push(() => caught && process.on('uncaughtException', caught))
    scrubber.onDatagram = (bytes) => {
      got.push(bytes[1]!)
      if (got.length === 1) throw new Error('of the handler')
    }
    for (let conv = 1; conv <= 20; conv += 1) send(sealedOf(conv))
    await eventually(() => got.length === 20)
    expect(got).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(errors).toHaveLength(1)
  })

  test('and cannot have it is none', async () => {
    const port = await open()
    await port.close()
    const other = createSocket('udp4')
    cleanUps.push(() => other.close())
    other.bind(port.port, HOST)
    await once(other, 'listening')
    await expect(port.siblings!.scrubbed(RULES)).rejects.toThrow('EADDRINUSE')
  })
})

interface Flooded {
  readonly listener: KcpListener
  /** What reads the port, in order. */
  readonly kinds: string[]
  readonly threads: Worker[]
  /** Puts the clock of the listener forward. */
  skip(ms: number): void
  stop(): void
}

const echo = (session: KcpSession): void => {
  session.onMessage = (bytes) => void session.send(bytes)
}

/** Sends 30,000 datagrams a second, until told to stop. */
async function flood(port: number, make: (n: number) => Uint8Array): Promise<() => void> {
  const flooder = await openUdpSocket({ ...SIZES, connect: { host: HOST, port } })
  cleanUps.push(() => flooder.close())
  let n = 0
  const timer = setInterval(() => {
    for (const end = n + 30; n < end; n += 1) {
      const bytes = make(n)
      flooder.send(bytes, 0, bytes.length, port, HOST)
    }
  }, 1)
  const stop = (): void => clearInterval(timer)
  cleanUps.push(stop)
  return stop
}

/** A listener that echoes, flooded until a thread reads its port, and on. */
async function flooded(make: (n: number) => Uint8Array): Promise<Flooded> {
  let skippedMs = 0
  const kinds: string[] = ['first']
  const threads: Worker[] = []
  const seen = (worker: Worker): unknown => threads.push(worker)
  process.on('worker', seen)
  cleanUps.push(() => process.off('worker', seen))
  const openSocket: OpenDatagramSocket = async (options) => {
    const socket = await openUdpSocket(options)
    const { connected, plain, scrubbed: scrub } = socket.siblings!
    const noted = <T>(kind: string, opened: T): T => {
      kinds.push(kind)
      return opened
    }
    const siblings: Siblings = {
      connected,
      plain: async () => noted('plain', await plain()),
      scrubbed: async (rules) => noted('scrubbed', await scrub(rules)),
    }
    return Object.defineProperty(socket, 'siblings', { value: siblings })
  }
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + skippedMs }
  const listener = await listen(
    { host: HOST, port: 0, maxRetriesPerSecond: 200, clock, openSocket, idleTimeoutMs: 60_000 },
    echo,
  )
  cleanUps.push(() => listener.abort())
  const stop = await flood(listener.port, make)
  await eventually(() => kinds.at(-1) === 'scrubbed')
  const skip = (ms: number): void => {
    skippedMs += ms
  }
  return { listener, kinds, threads, skip, stop }
}

async function echoes(session: KcpSession, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const answer = new Promise<Uint8Array>((resolve) => {
      session.onMessage = resolve
    })
    session.send(Uint8Array.of(n))
    expect([...(await answer)]).toEqual([n])
  }
}

const hello = helloOf(new Uint8Array(8))
const nonce = hello.subarray(HELLO_NONCE_AT, HELLO_NONCE_AT + NONCE_BYTES)
const helloNumber = (n: number): Uint8Array => {
  nonce.set([n, n >> 8, n >> 16])
  return hello
}

describe.runIf(process.platform === 'linux')('a listener whose port is flooded', () => {
  test.each([
    ['first hellos', helloNumber],
    ['datagrams of no session', (n: number) => sealedOf(Math.imul(n, 2_654_435_761) >>> 0)],
  ])('with %s serves old and new sessions, and has its port back after', async (_, make) => {
    const { listener, kinds, skip, stop } = await flooded(make)
    const host = { host: HOST, port: listener.port }
    const session = await connect(host)
    await echoes(session, 50)
    const others = await Promise.all(Array.from({ length: 5 }, () => connect(host)))
    for (const other of others) await echoes(other, 3)
    for (const other of others) await other.close()
    await eventually(() => listener.sessionCount === 1)
    stop()
    // Step by step, as the last of the flood is heard of a while after it.
    await eventually(() => {
      skip(200)
      return kinds.at(-1) === 'plain'
    })
    await echoes(session, 10)
    const late = await connect(host)
    await echoes(late, 3)
    const { dropped, datagramsIn } = listener.counters()
    expect(datagramsIn).toBeGreaterThan(5000)
    expect(dropped.retryBudget + dropped.unknownConv).toBeGreaterThan(5000)
    await listener.close()
    expect(kinds).toEqual(['first', 'scrubbed', 'plain'])
  })

  test('and whose thread ends, reads it by itself', async () => {
    const { listener, kinds, threads } = await flooded(helloNumber)
    const session = await connect({ host: HOST, port: listener.port })
    await echoes(session, 3)
    await threads[0]!.terminate()
    await eventually(() => kinds.at(-1) === 'plain')
    await echoes(session, 20)
    const late = await connect({ host: HOST, port: listener.port })
    await echoes(late, 3)
  })

  test('closes with its thread', async () => {
    const { listener, threads } = await flooded(helloNumber)
    const session = await connect({ host: HOST, port: listener.port })
    await echoes(session, 1)
    const ended = once(threads[0]!, 'exit')
    await listener.close()
    await eventually(() => session.closeInfo?.reason === 'going away')
    await ended
    const again = createSocket('udp4')
    cleanUps.push(() => again.close())
    again.bind(listener.port, HOST)
    await once(again, 'listening')
  })

  test('and shared with others, keeps the sessions of all', async () => {
    const threads: Worker[] = []
    const seen = (worker: Worker): unknown => threads.push(worker)
    process.on('worker', seen)
    cleanUps.push(() => process.off('worker', seen))
    const workers: KcpListener[] = []
    const open = async (index: number): Promise<void> => {
      const forward: KcpWorker['forward'] = (to, ...datagram) => workers[to]?.deliver(...datagram)
      const options = { host: HOST, port: workers[0]?.port ?? 0, maxRetriesPerSecond: 200 }
      const worker = { index, count: 3, forward }
      workers.push(await listen({ ...options, reusePort: true, worker }, echo))
      cleanUps.push(() => workers[index]!.abort())
    }
    for (const index of [0, 1, 2]) await open(index)
    const { port } = workers[0]!
    const sessions = await Promise.all(
      Array.from({ length: 30 }, () => connect({ host: HOST, port })),
    )
    for (const session of sessions) await echoes(session, 1)
    // From several addresses, so that most or all of them get some of it.
    for (let source = 0; source < 8; source += 1) await flood(port, helloNumber)
    await eventually(() => threads.length > 0)
    for (let round = 0; round < 10; round += 1)
      await Promise.all(sessions.map((session) => echoes(session, 3)))
    expect(sessions.every(({ isOpen }) => isOpen)).toBe(true)
  })
})
