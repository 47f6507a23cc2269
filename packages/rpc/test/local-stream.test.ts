import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { currentCall, notify, RpcError, settle, withCall, type RpcTable } from '../src/index.ts'
import { Counting } from './counting.ts'
import { SimCluster } from './support.ts'

class Feed extends Counting {
  static readonly rpc = {
    count: 'server',
    blobs: 'server',
    hang: 'server',
    who: 'server',
    sum: 'server',
    ignore: 'server',
    slow: 'server',
    keep: 'server',
    refuse: 'server',
    double: 'server',
  } as const satisfies RpcTable<Feed>
  callers: (string | undefined)[] = []
  heard: unknown[] = []

  async *blobs(): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.made += 1
      yield new Uint8Array(100_000)
    }
  }
  async *hang(): AsyncGenerator<number> {
    const { signal } = currentCall()
    yield 1
    try {
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      )
    } finally {
      this.ended += 1
    }
  }
  async *who(): AsyncGenerator<number> {
    for (let i = 0; i < 3; i++) {
      this.callers.push(callerOf())
      yield i
    }
  }
  async sum(numbers: AsyncIterable<number>): Promise<number> {
    let sum = 0
    try {
      for await (const number of numbers) {
        this.heard.push(number)
        sum += number
      }
    } catch (error) {
      this.heard.push((error as RpcError).code)
      throw error
    }
    return sum
  }
  ignore(numbers: AsyncIterable<number>): string {
    return typeof numbers
  }
  async slow(items: AsyncIterable<Uint8Array>): Promise<void> {
    await items[Symbol.asyncIterator]().next()
    await new Promise(() => {})
  }
  keep(numbers: AsyncIterable<number>): void {
    void settle(this.sum(numbers))
  }
  refuse(items: AsyncIterable<number>): void {
    void items
    throw Object.assign(new Error('not now'), { code: 'NOT_NOW' })
  }
  async *double(numbers: AsyncIterable<number>): AsyncGenerator<number> {
    for await (const number of numbers) yield number * 2
  }
}

function callerOf(): string | undefined {
  try {
    return currentCall().nodeId
  } catch {
    return undefined
  }
}

/** Numbers that say how many were taken, and whether they were let go. */
function numbers(to = Infinity) {
  const state = { made: 0, ended: 0 }
  async function* make(): AsyncGenerator<number> {
    try {
      for (let i = 1; i <= to; i++) {
        state.made = i
        yield i
      }
    } finally {
      state.ended += 1
    }
  }
  return { state, items: make() }
}

const setUps = {
  'over a link': async () => {
    const cluster = new SimCluster()
    const server = cluster.node('server')
    const client = cluster.node('client')
    await cluster.pair(server, client)
    const feed = client.at<typeof Feed>('sim://server:1', 'feed')
    return { cluster, server, client, feed }
  },
  'in process': async () => {
    const cluster = new SimCluster()
    const node = cluster.node('server')
    return { cluster, server: node, client: node, feed: node.service<typeof Feed>('feed') }
  },
}

describe.each(Object.entries(setUps))('a stream %s', (where, make) => {
  async function setUp() {
    const made = await make()
    const service = new Feed()
    made.server.expose('feed', service)
    return { ...made, clock: made.cluster.clock, service }
  }

  test('is made no further ahead of its reader than its window', async () => {
    const { cluster, clock, service, feed } = await setUp()
    const stream = feed.count(1000)[Symbol.asyncIterator]()
    expect(await cluster.result(stream.next())).toEqual({ value: 1, done: false })
    await clock.advance(100)
    expect(service.made).toBe(32)
    for (let i = 0; i < 40; i++) await cluster.result(stream.next())
    await clock.advance(100)
    expect(service.made).toBeLessThanOrEqual(41 + 32)
    expect(service.made).toBeGreaterThan(41)
  })

  test('has a window of bytes too, in both directions', async () => {
    const { cluster, clock, service, feed } = await setUp()
    const stream = feed.blobs()[Symbol.asyncIterator]()
    await cluster.result(stream.next())
    await clock.advance(100)
    // 256 KiB of items, the last one beyond; one was read.
    expect(service.made).toBeGreaterThan(1)
    expect(service.made).toBeLessThanOrEqual(5)
    const before = service.made
    const call = settle(withCall(feed, { timeoutMs: 500 }).slow(service.blobs()))
    await clock.advance(100)
    expect(service.made - before).toBeLessThanOrEqual(5)
    await clock.advance(500)
    expect((await call)[0]).toMatchObject({ code: 'RPC_TIMEOUT' })
    const after = service.made
    await clock.advance(100)
    expect(service.made).toBe(after)
  })

  test('may be read by several at once, and by nobody any more after its end', async () => {
    const { cluster, feed, client } = await setUp()
    const stream = feed.count(3)[Symbol.asyncIterator]()
    const reads = [stream.next(), stream.next(), stream.next(), stream.next(), stream.next()]
    const results = await cluster.result(Promise.all(reads))
    expect(results.map(({ value }) => value as unknown)).toEqual([1, 2, 3, undefined, undefined])
    expect(await cluster.result(stream.next())).toEqual({ value: undefined, done: true })
    expect(client.stats().openStreams).toBe(0)
  })

  test('ends at both ends when a node closes, its reader with a code', async () => {
    const { cluster, clock, server, service, feed } = await setUp()
    const stream = feed.hang()[Symbol.asyncIterator]()
    await cluster.result(stream.next())
    const waiting = settle(stream.next())
    await cluster.result(server.close())
    await clock.advance(100)
    expect((await waiting)[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    expect(service.ended).toBe(1)
    expect(server.stats().openStreams).toBe(0)
  })

  test('runs beside the handler that reads it: who reads is not who calls', async () => {
    const { cluster, server, service, feed, client } = await setUp()
    class Reader {
      static readonly rpc = { read: 'server' } as const satisfies RpcTable<Reader>
      async read(): Promise<number> {
        let items = 0
        for await (const _ of feed.who()) items += 1
        return items
      }
    }
    server.expose('reader', new Reader())
    const url = where === 'in process' ? undefined : 'sim://server:1'
    const reader =
      url === undefined
        ? client.service<typeof Reader>('reader')
        : client.at<typeof Reader>(url, 'reader')
    expect(await cluster.result(reader.read())).toBe(3)
    const caller = where === 'in process' ? 'server' : 'client'
    expect(service.callers).toEqual([caller, undefined, undefined])
  })

  test('as an argument goes to the handler, and back as another one', async () => {
    const { cluster, feed, client } = await setUp()
    expect(await cluster.result(feed.sum(numbers(100).items))).toBe(5050)
    const doubled: number[] = []
    const read = async (): Promise<void> => {
      for await (const item of feed.double(numbers(3).items)) doubled.push(item)
    }
    await cluster.result(read())
    expect(doubled).toEqual([2, 4, 6])
    expect(client.stats()).toMatchObject({ openStreams: 0, pendingCalls: 0, runningCalls: 0 })
  })

  test('as an argument ends with its call when that is cancelled, late, or refused', async () => {
    const { cluster, clock, service, feed } = await setUp()
    const controller = new AbortController()
    const one = { state: { ended: 0 }, items: endless() }
    async function* endless(): AsyncGenerator<number> {
      try {
        yield 1
        await clockTick()
        yield 2
      } finally {
        one.state.ended += 1
      }
    }
    const clockTick = (): Promise<void> =>
      new Promise((resolve) => clock.setTimer(200, () => resolve()))
    const call = settle(withCall(feed, { signal: controller.signal }).sum(one.items))
    await clock.advance(50)
    controller.abort(new Error('enough'))
    expect((await call)[0]?.message).toBe('enough')
    await clock.advance(50)
    expect(service.heard).toEqual([1, 'RPC_CLOSED'])
    await clock.advance(300)
    expect(one.state.ended).toBe(1)
    service.heard.length = 0
    async function* never(): AsyncGenerator<number> {
      await new Promise(() => {})
      yield 1
    }
    const late = settle(withCall(feed, { timeoutMs: 100 }).sum(never()))
    await clock.advance(300)
    expect((await late)[0]).toMatchObject({ code: 'RPC_TIMEOUT' })
    expect(service.heard).toEqual(['RPC_TIMEOUT'])
    const { state, items } = numbers()
    expect(await cluster.failure(feed.refuse(items))).toMatchObject({ code: 'NOT_NOW' })
    await clock.advance(50)
    expect(state.made).toBe(0)
  })

  test('as an argument that nobody read ends with the answer; one that is read goes on', async () => {
    const { cluster, clock, service, feed } = await setUp()
    const unread = numbers()
    expect(await cluster.result(feed.ignore(unread.items))).toBe('object')
    await clock.advance(50)
    expect(unread.state.made).toBe(0)
    await cluster.result(feed.keep(numbers(5).items))
    await clock.advance(50)
    expect(service.heard).toEqual([1, 2, 3, 4, 5])
    expect(() => notify(feed).sum(numbers(5).items)).toThrow(RpcError)
  })

  test('lets go of the signal of its call', async () => {
    const { cluster, clock, feed } = await setUp()
    const { signal } = new AbortController()
    const remote = withCall(feed, { signal })
    for (let i = 0; i < 5; i++) {
      await cluster.result(remote.sum(numbers(3).items))
      await cluster.result(remote.ignore(numbers(3).items))
      await cluster.failure(remote.refuse(numbers(3).items))
      const read = async (): Promise<void> => {
        for await (const item of remote.count(3)) if (item === i) break
      }
      await cluster.result(read())
    }
    await clock.advance(100)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

test('a synchronous method that is known to answer at once gets streams as any other', async () => {
  const cluster = new SimCluster()
  const node = cluster.node('home')
  const service = new Feed()
  node.expose('feed', service)
  const feed = node.service<typeof Feed>('feed')
  for (let i = 0; i < 200; i++) await feed.ignore(undefined as never)
  const { state, items } = numbers(3)
  await cluster.result(feed.keep(items))
  await cluster.clock.advance(10)
  expect([service.heard, state.ended]).toEqual([[1, 2, 3], 1])
})

test('an entity that turns a call away is asked for elsewhere, whatever its hook called before', async () => {
  const cluster = new SimCluster()
  const away = cluster.node('away')
  await away.listen('sim://away:1')
  const there = new Feed()
  away.serve('kim', there)
  const node = cluster.node('home', {
    locate: () => 'sim://away:1',
    beforeDispatch: ({ entityId }) => {
      if (entityId === undefined) return
      void node.service<typeof Feed>('feed').ignore(undefined as never)
      throw Object.assign(new Error('it moved'), { code: 'MOVED' })
    },
  })
  node.expose('feed', new Feed())
  node.serve('kim', new Feed())
  const kim = node.entity<typeof Feed>({ id: 'kim' })
  expect(await cluster.result(kim.sum(numbers(4).items))).toBe(10)
  expect(there.heard).toEqual([1, 2, 3, 4])
})
