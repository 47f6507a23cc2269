import { expect, test } from 'vitest'
import { notify, settle, withCall, type RpcTable } from '../src/index.ts'
import { SimCluster } from './support.ts'

class Log {
  static readonly rpc = { add: 'server', size: 'server' } as const satisfies RpcTable<Log>
  readonly lines: number[] = []
  add(line: number): number {
    return this.lines.push(line)
  }
  size(): number {
    return this.lines.length
  }
}
const URL_A = 'sim://a:1'

test('all callers of an address share one link, dialled by the first call', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  a.expose('log', new Log())
  await a.listen(URL_A)
  await cluster.clock.advance(1000)
  expect(a.stats().peers).toBe(0)
  const calls = [b.at<typeof Log>(URL_A, 'log').add(1), b.at<typeof Log>(URL_A, 'log').add(2)]
  const peer = b.connect(URL_A)
  expect(await cluster.result(Promise.all(calls))).toEqual([1, 2])
  expect(await cluster.result(b.connect(URL_A))).toBe(await cluster.result(peer))
  expect(a.stats().peers).toBe(1)
})

test('what is called while the dial is under way runs in the order of the calls', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  const log = new Log()
  a.expose('log', log)
  await a.listen(URL_A)
  const remote = b.at<typeof Log>(URL_A, 'log')
  const calls: Promise<number>[] = []
  for (let i = 0; i < 20; i++) {
    if (i % 3 === 0) notify(remote).add(i)
    else calls.push(remote.add(i))
    if (i % 4 === 0) await cluster.clock.advance(1)
  }
  await cluster.result(Promise.all(calls))
  expect(log.lines).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

test('nobody there: the call fails with RPC_CONNECT_FAILED and was surely not executed', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b')
  const error = await cluster.failure(b.at<typeof Log>(URL_A, 'log').size())
  expect([error.code, error.executed]).toEqual(['RPC_CONNECT_FAILED', 'no'])
  expect((await cluster.failure(b.connect('quic://a:1'))).code).toBe('RPC_NO_TRANSPORT')
})

test('after a failed dial the next one waits a little, within the deadline of its call', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b')
  const remote = b.at<typeof Log>(URL_A, 'log')
  for (let i = 0; i < 6; i++) await cluster.failure(remote.size())
  const startedAt = cluster.clock.now()
  await cluster.failure(remote.size())
  const waited = cluster.clock.now() - startedAt
  expect(waited).toBeGreaterThan(100)
  expect(waited).toBeLessThanOrEqual(1010)
  expect((await cluster.failure(withCall(remote, { timeoutMs: 20 }).size())).code).toBe(
    'RPC_TIMEOUT',
  )
  // The node comes up: the first success forgets the failures.
  const a = cluster.node('a')
  a.expose('log', new Log())
  await a.listen(URL_A)
  expect(await cluster.result(remote.size())).toBe(0)
})

test('a lost link is dialled again by the next call', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  a.expose('log', new Log())
  await a.listen(URL_A)
  const remote = b.at<typeof Log>(URL_A, 'log')
  expect(await cluster.result(remote.add(1))).toBe(1)
  cluster.network.cut('a', 'b')
  await cluster.clock.advance(5)
  expect(b.stats().peers).toBe(0)
  expect(await cluster.result(remote.add(2))).toBe(2)
})

test('a node that crashed and came back is reached under its old address', async () => {
  const cluster = new SimCluster()
  const first = cluster.node('a')
  const b = cluster.node('b')
  first.expose('log', new Log())
  await first.listen(URL_A)
  const remote = b.at<typeof Log>(URL_A, 'log')
  await cluster.result(remote.add(1))
  cluster.network.host('a').abort()
  expect((await cluster.failure(remote.add(2))).code).toBe('RPC_CLOSED')
  const second = cluster.node('a')
  second.expose('log', new Log())
  await second.listen(URL_A)
  expect(await cluster.result(remote.add(3))).toBe(1)
})

test('a call that waits for a dial keeps its own deadline and signal', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b')
  cluster.node('a')
  cluster.network.partition('a', 'b', true)
  const remote = b.at<typeof Log>(URL_A, 'log')
  const controller = new AbortController()
  const aborted = settle(withCall(remote, { signal: controller.signal }).size())
  const short = settle(withCall(remote, { timeoutMs: 300 }).size())
  await cluster.clock.advance(10)
  const reason = new Error('not needed')
  controller.abort(reason)
  expect((await aborted)[0]).toBe(reason)
  await cluster.clock.advance(320)
  expect((await short)[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'no' })
  expect(b.stats().pendingCalls).toBe(0)
})

test('nothing is sent stale: what waited longer than its time is not there when the link is', async () => {
  const cluster = new SimCluster()
  const [a, b] = [cluster.node('a'), cluster.node('b', { connectTimeoutMs: 60_000 })]
  const log = new Log()
  a.expose('log', log)
  await a.listen(URL_A)
  const remote = b.at<typeof Log>(URL_A, 'log')
  cluster.network.partition('a', 'b', true)
  const old = [settle(remote.add(1)), settle(withCall(remote, { timeoutMs: 200 }).add(2))]
  expect(notify(remote).add(3)).toBe(true)
  await cluster.clock.advance(3500)
  const errors = (await Promise.all(old)).map(([error]) => error)
  expect(errors).toMatchObject([
    { code: 'RPC_TIMEOUT', executed: 'no' },
    { code: 'RPC_TIMEOUT', executed: 'no' },
  ])
  expect(b.stats().droppedNotifies).toBe(1)
  const fresh = [remote.add(4), remote.add(5)]
  cluster.network.partition('a', 'b', false)
  await cluster.result(Promise.all(fresh))
  await cluster.clock.advance(5000)
  expect(log.lines).toEqual([4, 5])
})

test('nothing is sent again by itself: what a link took down with it ends with that', async () => {
  const cluster = new SimCluster(1, { delayMs: 20 })
  const [a, b] = [cluster.node('a'), cluster.node('b')]
  const log = new Log()
  a.expose('log', log)
  await cluster.pair(a, b)
  const remote = b.at<typeof Log>(URL_A, 'log')
  const under = settle(remote.add(1))
  notify(remote).add(2)
  await cluster.clock.advance(5)
  cluster.network.cut('a', 'b')
  expect((await cluster.result(under))[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  expect(await cluster.result(remote.add(3))).toBe(1)
  await cluster.clock.advance(10_000)
  expect(log.lines).toEqual([3])
})

test('connect can be given up; the dial ends when nobody wants it any more', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  await a.listen(URL_A)
  cluster.network.partition('a', 'b', true)
  const controller = new AbortController()
  const given = settle(b.connect(URL_A, { signal: controller.signal }))
  await cluster.clock.advance(10)
  controller.abort(new Error('stop'))
  expect((await given)[0]?.message).toBe('stop')
  expect((await settle(b.connect(URL_A, { signal: controller.signal })))[0]?.message).toBe('stop')
  cluster.network.partition('a', 'b', false)
  await cluster.clock.advance(100)
  expect([a.stats().peers, b.stats().peers]).toEqual([0, 0])
})

test('the calls that may wait for one dial have a bound', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b')
  const remote = b.at<typeof Log>(URL_A, 'log')
  const calls = Array.from({ length: 4100 }, () => settle(remote.size()))
  expect(notify(remote).add(1)).toBe(false)
  await cluster.clock.advance(5000)
  const codes = (await Promise.all(calls)).map(([error]) => (error as { code?: string }).code)
  expect(codes.filter((code) => code === 'RPC_OVERLOADED')).toHaveLength(4)
  expect(codes.filter((code) => code === 'RPC_CONNECT_FAILED')).toHaveLength(4096)
})
