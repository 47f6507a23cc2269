import { expect, test } from 'vitest'
import { currentCall, notify, settle, withCall, type RpcTable } from '../src/index.ts'
import { SimCluster } from './support.ts'

class Shop {
  static readonly rpc = {
    buy: ['server', 'player'],
    price: 'server',
    hang: 'server',
    fails: 'server',
    eat: 'server',
  } as const satisfies RpcTable<Shop>
  static readonly idempotent = ['price'] as const
  bought = 0
  asked = 0
  onAsk: (() => void) | undefined
  buy(): number {
    return ++this.bought
  }
  async price(): Promise<number> {
    this.asked += 1
    this.onAsk?.()
    await Promise.resolve()
    return 7
  }
  async hang(): Promise<void> {
    this.asked += 1
    const { signal } = currentCall()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }
  fails(): void {
    this.asked += 1
    throw Object.assign(new Error('no'), { code: 'SOLD_OUT' })
  }
  async eat(all: AsyncIterable<number>): Promise<number> {
    let sum = 0
    for await (const one of all) sum += one
    return sum
  }
}
const URL = 'sim://server:1'

async function setUp(options = {}) {
  const cluster = new SimCluster()
  const server = cluster.node('server', options)
  const client = cluster.node('client')
  const shop = new Shop()
  server.expose('shop', shop)
  const remote = client.at<typeof Shop>(URL, 'shop')
  return { cluster, clock: cluster.clock, server, client, shop, remote }
}

test('a call that nobody took is made again until somebody does, and not beyond its retries', async () => {
  const { cluster, clock, server, client, remote } = await setUp()
  expect(await cluster.failure(remote.buy())).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
  expect(client.stats().retries).toBe(0)
  const failing = settle(withCall(remote, { retries: 2 }).buy())
  await clock.advance(1000)
  expect((await failing)[0]).toMatchObject({ code: 'RPC_CONNECT_FAILED', executed: 'no' })
  expect(client.stats().retries).toBe(2)
  const patient = withCall(remote, { retries: 5 }).buy()
  await clock.advance(20)
  await server.listen(URL)
  expect(await cluster.result(patient)).toBe(1)
})

test('what may have been executed is made again only when that does no harm', async () => {
  const { cluster, server, shop, remote } = await setUp()
  await server.listen(URL)
  const lose = (): void => {
    shop.onAsk = undefined
    cluster.network.cut('server', 'client')
  }
  shop.onAsk = lose
  const once = withCall(remote, { retries: 3 })
  expect(await cluster.failure(once.price())).toMatchObject({
    code: 'RPC_CLOSED',
    executed: 'maybe',
  })
  shop.onAsk = lose
  expect(await cluster.result(withCall(remote, { idempotent: true }).price())).toBe(7)
  expect(shop.asked).toBe(3)
  shop.onAsk = lose
  expect(await cluster.result(withCall(remote, { idempotent: Shop.idempotent }).price())).toBe(7)
  shop.onAsk = lose
  const others = withCall(remote, { idempotent: ['buy'] })
  expect(await cluster.failure(others.price())).toMatchObject({ executed: 'maybe' })
})

test('an error of the handler is never an occasion', async () => {
  const { cluster, server, shop, remote } = await setUp()
  await server.listen(URL)
  const eager = withCall(remote, { idempotent: true, retries: 9 })
  expect(await cluster.failure(eager.fails())).toMatchObject({ code: 'SOLD_OUT' })
  expect(shop.asked).toBe(1)
})

test('no attempt begins after the deadline, and a deadline is never exceeded', async () => {
  const { cluster, clock, remote } = await setUp()
  const startedAt = clock.now()
  const call = withCall(remote, { retries: 100, timeoutMs: 200 }).buy()
  expect(await cluster.failure(call)).toMatchObject({ executed: 'no' })
  expect(clock.now() - startedAt).toBeLessThanOrEqual(216)
})

test('retries have a budget: a target that is down is not asked many times over', async () => {
  const { clock, client, remote } = await setUp()
  const eager = withCall(remote, { retries: 5, timeoutMs: 20_000 })
  const calls = Array.from({ length: 100 }, () => settle(eager.buy()))
  await clock.advance(20_000)
  for (const [error] of await Promise.all(calls)) expect(error).toBeDefined()
  // Ten tokens; a hundred calls cannot bring them above that.
  expect(client.stats().retries).toBe(10)
  const more = Array.from({ length: 20 }, () => settle(eager.buy()))
  await clock.advance(20_000)
  await Promise.all(more)
  expect(client.stats().retries).toBeLessThanOrEqual(12)
})

test('a signal ends the wait between attempts', async () => {
  const { clock, remote } = await setUp()
  const controller = new AbortController()
  const call = settle(withCall(remote, { retries: 9, signal: controller.signal }).buy())
  await clock.advance(5)
  controller.abort(new Error('enough'))
  expect((await call)[0]?.message).toBe('enough')
})

test('when there is too much to do a call fails at once, or waits when it is told to', async () => {
  const { cluster, clock, server, shop, remote, client } = await setUp({ maxRunningPerServer: 1 })
  await server.listen(URL)
  const controller = new AbortController()
  const hanging = settle(withCall(remote, { signal: controller.signal }).hang())
  await clock.advance(10)
  expect(await cluster.failure(remote.buy())).toMatchObject({
    code: 'RPC_OVERLOADED',
    executed: 'no',
  })
  const waiting = settle(withCall(remote, { whenFull: 'wait' }).buy())
  await clock.advance(1000)
  expect(shop.bought).toBe(0)
  controller.abort()
  await hanging
  await clock.advance(600)
  expect(await waiting).toEqual([undefined, 1])
  const late = withCall(remote, { whenFull: 'wait', timeoutMs: 300 }).buy()
  expect(await cluster.result(late)).toBe(2)
  expect(client.stats().retries).toBeGreaterThan(2)
})

test('options that make no sense are refused; notifications and streams go out once', async () => {
  const { cluster, server, remote, shop } = await setUp()
  for (const retries of [-1, 0.5, 101]) {
    expect(() => withCall(remote, { retries, idempotent: true })).toThrow(RangeError)
  }
  await server.listen(URL)
  const eager = withCall(remote, { retries: 2 })
  expect(notify(eager).buy()).toBe(true)
  async function* some(): AsyncGenerator<number> {
    yield 1
    yield 2
  }
  expect(await cluster.result(eager.eat(some()))).toBe(3)
  expect(shop.bought).toBe(1)
})
