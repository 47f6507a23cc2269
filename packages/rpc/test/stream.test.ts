import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { currentCall, RpcNode, settle, withCall, type RpcTable } from '../src/index.ts'
import { Counting } from './counting.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'
import { makeRoute } from '../src/wire.ts'

class Feed extends Counting {
  static readonly rpc = {
    count: 'server',
    later: 'server',
    broken: 'server',
    odd: 'server',
    plain: 'server',
    hang: 'server',
  } as const satisfies RpcTable<Feed>
  async later(to: number): Promise<AsyncIterable<number>> {
    await Promise.resolve()
    return this.count(to)
  }
  async *broken(): AsyncGenerator<number> {
    yield 1
    yield 2
    throw Object.assign(new Error('out of paper'), { code: 'NO_PAPER', data: [7] })
  }
  async *odd(): AsyncGenerator<() => void> {
    yield () => {}
  }
  plain(): number {
    return 1
  }
  async *hang(): AsyncGenerator<number> {
    const { signal } = currentCall()
    this.signal = signal
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    yield 1
  }
}

async function setUp() {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const server = cluster.node('server')
  const client = cluster.node('client')
  const service = new Feed()
  server.expose('feed', service)
  await cluster.pair(server, client)
  const feed = client.at<typeof Feed>('sim://server:1', 'feed')
  return { cluster, clock: cluster.clock, server, client, service, feed }
}
async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

test('a method that returns an async iterable is a stream to its caller', async () => {
  const { cluster, server, client, service, feed } = await setUp()
  const numbers = Array.from({ length: 1000 }, (_, i) => i + 1)
  expect(await cluster.result(all(feed.count(1000)))).toEqual(numbers)
  expect(await cluster.result(all(feed.count(0)))).toEqual([])
  const opened = await cluster.result(feed.later(3))
  expect(await cluster.result(all(opened))).toEqual([1, 2, 3])
  expect(await cluster.result(all(opened))).toEqual([])
  expect(service.ended).toBe(3)
  expect([server.stats().openStreams, client.stats().pendingCalls]).toEqual([0, 0])
})

test('nothing is made ahead of a reader but what its window takes', async () => {
  const { cluster, clock, service, feed } = await setUp()
  const iterator = (await cluster.result(feed.later(1000)))[Symbol.asyncIterator]()
  await clock.advance(100)
  expect(service.made).toBe(0)
  expect(await cluster.result(iterator.next())).toEqual({ value: 1, done: false })
  await clock.advance(100)
  expect(service.made).toBe(32)
  for (let i = 0; i < 40; i++) await cluster.result(iterator.next())
  await clock.advance(100)
  expect(service.made).toBeLessThanOrEqual(41 + 32)
})

test('a reader that breaks off ends the iterator at the other end, and its signal fires', async () => {
  const { cluster, clock, server, service, feed } = await setUp()
  const read = async (): Promise<void> => {
    for await (const item of feed.count(1e6)) if (item === 10) break
  }
  await cluster.result(read())
  await clock.advance(50)
  expect([service.ended, service.signal?.aborted]).toEqual([1, true])
  expect(server.stats().openStreams).toBe(0)
})

test('an error in the middle comes after the items before it, with code, message and data', async () => {
  const { cluster, feed } = await setUp()
  const items: number[] = []
  const read = async (): Promise<void> => {
    for await (const item of feed.broken()) items.push(item)
  }
  const error = await cluster.failure(read())
  expect(items).toEqual([1, 2])
  expect(error).toMatchObject({
    code: 'NO_PAPER',
    message: 'out of paper',
    data: [7],
    executed: 'yes',
  })
  expect((await cluster.failure(all(feed.odd()))).code).toBe('RPC_BAD_REPLY')
  const plain = feed.plain() as unknown as AsyncIterable<number>
  expect((await cluster.failure(all(plain))).code).toBe('RPC_BAD_REPLY')
})

test('a lost link ends a stream with a code at the reader, and by its signal at the other end', async () => {
  const { cluster, clock, server, client, service, feed } = await setUp()
  const reading = settle(all(feed.hang()))
  await clock.advance(50)
  expect(server.stats().openStreams).toBe(1)
  for (const peer of client.peers) peer.close()
  const [error] = await cluster.result(reading)
  expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  await clock.advance(50)
  expect(service.signal?.aborted).toBe(true)
  expect(server.stats().openStreams).toBe(0)
})

test('a signal ends a stream that is being read; the deadline is that of its opening alone', async () => {
  const { cluster, clock, server, feed } = await setUp()
  const controller = new AbortController()
  const reading = settle(all(withCall(feed, { signal: controller.signal, timeoutMs: 100 }).hang()))
  await clock.advance(10_000)
  expect(server.stats().openStreams).toBe(1)
  controller.abort(new Error('enough'))
  const [error] = await cluster.result(reading)
  expect(error?.message).toBe('enough')
  await clock.advance(50)
  expect(server.stats().openStreams).toBe(0)
})

test('a sender whose link is behind pulls nothing until it drains', async () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  const service = new Feed()
  node.expose('feed', service)
  const link = new FakeLink()
  node.attach(link, { trust: 'server' })
  const route = hex(makeRoute('feed', 'count').bytes)
  link.onMessage(unhex(`26 01 00 00 00 00 ${route} 91 64`))
  expect(link.takeHex()).toEqual(['11 01 00 00 00'])
  link.isFull = true
  link.onMessage(unhex('14 01 00 00 00 0a 80 80 10'))
  await new Promise((resolve) => void setImmediate(resolve))
  expect(link.takeHex()).toEqual(['12 01 00 00 00 01'])
  link.isFull = false
  link.onDrain()
  await new Promise((resolve) => void setImmediate(resolve))
  expect(link.takeHex()).toHaveLength(9)
  // The same number again: the stream before it ends.
  link.onMessage(unhex(`26 01 00 00 00 00 ${route} 91 00`))
  link.onMessage(unhex('14 01 00 00 00 01 80 80 10'))
  await new Promise((resolve) => void setImmediate(resolve))
  expect(link.takeHex()).toEqual(['11 01 00 00 00', '13 01 00 00 00'])
  expect(node.stats().openStreams).toBe(0)
  expect(service.ended).toBe(2)
})

test('items nobody asked for close the link; a stream nobody waits for is cancelled', async () => {
  const link = new FakeLink()
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  const peer = node.attach(link, { trust: 'server' })
  const opened = peer.service<typeof Feed>('feed').later(1)
  link.onMessage(unhex('11 01 00 00 00'))
  const reading = settle((await opened)[Symbol.asyncIterator]().next())
  expect(link.takeHex().at(-1)).toBe('14 01 00 00 00 20 80 80 10')
  link.onMessage(unhex('11 07 00 00 00'))
  expect(link.takeHex()).toEqual(['0a 07 00 00 00'])
  for (let i = 0; i < 40; i++) link.onMessage(unhex('12 01 00 00 00 05'))
  expect(await reading).toEqual([undefined, { value: 5, done: false }])
  // The window was filled up again once, by the one item that was read.
  expect(peer.isOpen).toBe(false)
  expect(link.closed?.code).toBe(4400)
})
