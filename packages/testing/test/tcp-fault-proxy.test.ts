import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually, freePort, seededRandom, TcpFaultProxy } from '../src/index.ts'

/** One end of a connection as a test sees it. */
interface End {
  readonly socket: Socket
  readonly chunks: Buffer[]
  /** The code of the error it ended with, 'end' for an orderly one, undefined while it is open. */
  ending: string | undefined
}

function watch(socket: Socket): End {
  const end: End = { socket, chunks: [], ending: undefined }
  socket.on('data', (chunk: Buffer) => end.chunks.push(chunk))
  socket.on('end', () => (end.ending ??= 'end'))
  socket.on('error', (error: NodeJS.ErrnoException) => (end.ending = error.code))
  return end
}
const received = (end: End | undefined): Buffer => Buffer.concat(end?.chunks ?? [])

let server: Server
let proxy: TcpFaultProxy
let accepted: End[]
let dialled: End[]

beforeEach(async () => {
  accepted = []
  dialled = []
  server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(watch(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  proxy = await TcpFaultProxy.listen({ target, random: seededRandom(5) })
})

afterEach(async () => {
  for (const { socket } of [...dialled, ...accepted]) socket.destroy()
  await proxy.close()
  server.close()
})

function dial(port = proxy.port): End {
  const end = watch(connect({ port, host: '127.0.0.1', noDelay: true }))
  dialled.push(end)
  return end
}

/** A client and what the server made of it. */
async function pair(): Promise<{ client: End; peer: End }> {
  const before = accepted.length
  const client = dial()
  await eventually(() => accepted.length > before)
  return { client, peer: accepted[before]! }
}

/** After this, all that could have passed on a link next to this one has passed. */
async function roundTrip({ client, peer }: { client: End; peer: End }): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const [there, back] = [received(peer).length, received(client).length]
    client.socket.write('?')
    await eventually(() => received(peer).length > there)
    peer.socket.write('!')
    await eventually(() => received(client).length > back)
  }
}

test('carries bytes both ways and an end in order, and counts', async () => {
  const { client, peer } = await pair()
  client.socket.end('hello')
  await eventually(() => peer.ending === 'end')
  expect(received(peer).toString()).toBe('hello')
  peer.socket.end('good bye')
  await eventually(() => client.ending === 'end')
  expect(received(client).toString()).toBe('good bye')
  await eventually(() => proxy.stats().open === 0)
  expect(proxy.stats()).toEqual({
    open: 0,
    accepted: 1,
    dialsFailed: 0,
    cuts: 0,
    bytesToTarget: 5,
    bytesToClient: 8,
  })
})

test('passes a reset on', async () => {
  const { client, peer } = await pair()
  client.socket.resetAndDestroy()
  await eventually(() => peer.ending === 'ECONNRESET')
  expect(proxy.stats()).toMatchObject({ open: 0, cuts: 0 })
})

test('cut resets both ends of all links, and new ones work', async () => {
  const pairs = [await pair(), await pair()]
  proxy.cut()
  for (const { client, peer } of pairs) {
    await eventually(() => client.ending === 'ECONNRESET' && peer.ending === 'ECONNRESET')
  }
  expect(proxy.stats()).toMatchObject({ open: 0, cuts: 2 })
  await roundTrip(await pair())
})

test('one link can be cut without the others', async () => {
  const [one, other] = [await pair(), await pair()]
  proxy.links[0]?.cut()
  await eventually(() => one.client.ending === 'ECONNRESET')
  await roundTrip(other)
})

test.each([1, 1_000, 100_000])('cuts after exactly %d bytes', async (bytes) => {
  const { client, peer } = await pair()
  proxy.cut({ afterBytes: bytes, direction: 'toTarget' })
  client.socket.write(Buffer.alloc(bytes + 50_000, 'x'))
  await eventually(() => client.ending !== undefined && peer.ending !== undefined)
  expect(received(peer)).toHaveLength(bytes)
  expect(proxy.stats().bytesToTarget).toBe(bytes)
})

test('refuses connections while open links stay, and then accepts at the same port', async () => {
  const pairBefore = await pair()
  await proxy.refuse(true)
  const refused = dial()
  await eventually(() => refused.ending === 'ECONNREFUSED')
  await roundTrip(pairBefore)
  await proxy.refuse(false)
  await roundTrip(await pair())
})

test('delays bytes both ways, in order', async () => {
  const both = await pair()
  proxy.delay(40, 20)
  const start = performance.now()
  for (const letter of 'abcdefgh') both.client.socket.write(letter)
  await eventually(() => received(both.peer).length === 8)
  expect(performance.now() - start).toBeGreaterThanOrEqual(39)
  both.peer.socket.write('back')
  await eventually(() => received(both.client).length === 4)
  expect(performance.now() - start).toBeGreaterThanOrEqual(78)
  expect(received(both.peer).toString()).toBe('abcdefgh')
})

test('delays one direction alone when told so', async () => {
  const both = await pair()
  proxy.delay(60_000, 0, 'toClient')
  both.client.socket.write('x')
  await eventually(() => received(both.peer).length === 1)
  both.peer.socket.write('y')
  await roundTrip(await pairWithoutFaults())
  expect(received(both.client)).toHaveLength(0)
  proxy.heal()
  await eventually(() => received(both.client).toString() === 'y')
})

async function pairWithoutFaults(): Promise<{ client: End; peer: End }> {
  const undo = proxy.onLink((link) => link.heal())
  const both = await pair()
  undo()
  return both
}

test('a stall stops both directions, loses nothing, and hides what happens behind it', async () => {
  const stalled = await pair()
  proxy.links[0]?.stall(true)
  stalled.client.socket.write('to target')
  stalled.peer.socket.end('to client')
  await roundTrip(await pair())
  expect([received(stalled.peer).length, received(stalled.client).length]).toEqual([0, 0])
  expect(stalled.client.ending).toBeUndefined()
  proxy.links[0]?.stall(false)
  await eventually(() => received(stalled.peer).toString() === 'to target')
  await eventually(() => received(stalled.client).toString() === 'to client')
  await eventually(() => stalled.client.ending === 'end')
})

test('a stalled proxy makes a fast sender wait instead of taking all it has', async () => {
  const { client } = await pair()
  proxy.stall(true)
  const total = 64 * 1024 * 1024
  client.socket.write(Buffer.alloc(total))
  await roundTrip(await pairWithoutFaults())
  expect(client.socket.writableLength).toBeGreaterThan(total / 2)
})

test('a connection made during a stall reaches the target only afterwards', async () => {
  proxy.stall(true)
  const client = dial()
  client.socket.write('early')
  await eventually(() => proxy.links.length === 1)
  await roundTrip(await pairWithoutFaults())
  expect(accepted).toHaveLength(1)
  proxy.stall(false)
  await eventually(() => received(accepted[1]).toString() === 'early')
})

test('slices writes into small pieces', async () => {
  const { client, peer } = await pair()
  proxy.slice(3)
  const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(10)
  client.socket.write(text)
  await eventually(() => received(peer).toString() === text)
  expect(peer.chunks.length).toBeGreaterThan(10)
})

test('holds a bandwidth', async () => {
  const { client, peer } = await pair()
  proxy.bandwidth(100_000)
  const start = performance.now()
  client.socket.write(Buffer.alloc(15_000))
  await eventually(() => received(peer).length === 15_000)
  expect(performance.now() - start).toBeGreaterThanOrEqual(149)
})

test('flips bits without changing the length', async () => {
  const { client, peer } = await pair()
  proxy.corrupt(1, 'toTarget')
  client.socket.write(Buffer.alloc(100))
  await eventually(() => received(peer).length === 100)
  const bits = [...received(peer)].map((byte) => byte.toString(2).replaceAll('0', '').length)
  expect(bits.reduce((sum, count) => sum + count)).toBeGreaterThan(0)
})

test('a half cut resets one end and tells the other nothing', async () => {
  const half = await pair()
  proxy.links[0]?.cutHalf('client')
  await eventually(() => half.client.ending === 'ECONNRESET')
  half.peer.socket.write('anyone?')
  await roundTrip(await pair())
  expect(half.peer.ending).toBeUndefined()
  proxy.links[0]?.cut()
  await eventually(() => half.peer.ending === 'ECONNRESET')
})

test('resets the client when the target cannot be reached', async () => {
  proxy.target = { host: '127.0.0.1', port: await freePort() }
  const client = dial()
  await eventually(() => client.ending !== undefined)
  expect(proxy.stats()).toMatchObject({ dialsFailed: 1, open: 0 })
})

describe('with every fault but loss at once', () => {
  test.each([1, 2, 3])('carries megabytes unharmed both ways, seed %d', async (seed) => {
    const random = seededRandom(seed)
    const { client, peer } = await pair()
    proxy.set({ delayMs: 2, jitterMs: 5, sliceBytes: 8_000, bytesPerSecond: 50e6 })
    const [up, down] = [Buffer.from(random(2_000_000)), Buffer.from(random(1_000_000))]
    client.socket.end(up)
    peer.socket.end(down)
    for (let blink = 0; blink < 5; blink += 1) {
      const seen = received(peer).length
      proxy.stall(true)
      await roundTrip(await pairWithoutFaults())
      proxy.stall(false)
      await eventually(() => received(peer).length > seen || peer.ending === 'end')
    }
    await eventually(() => peer.ending === 'end' && client.ending === 'end')
    expect(hash(received(peer))).toBe(hash(up))
    expect(hash(received(client))).toBe(hash(down))
  })
})

const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

test('close resets what is open, may be called twice, and ends refuse too', async () => {
  const { client } = await pair()
  await proxy.close()
  await proxy.close()
  await eventually(() => client.ending === 'ECONNRESET')
  await expect(proxy.refuse(false)).rejects.toMatchObject({ code: 'TESTING_PROXY_CLOSED' })
})

test('refuses values that are none', () => {
  expect(() => proxy.delay(-1)).toThrow('delayMs')
  expect(() => proxy.corrupt(2)).toThrow('corruptProbability')
  expect(() => proxy.slice(0.5)).toThrow('sliceBytes')
  expect(() => proxy.cut({ afterBytes: -1 })).toThrow('afterBytes')
})
