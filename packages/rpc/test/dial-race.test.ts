import { expect, test } from 'vitest'
import type { RpcTable } from '../src/index.ts'
import { SimCluster } from './support.ts'

class Echo {
  static readonly rpc = { say: 'server' } as const satisfies RpcTable<Echo>
  say(text: string): string {
    return text
  }
}

async function twoAddresses() {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const a = cluster.node('a')
  const b = cluster.node('b')
  a.expose('echo', new Echo())
  return { cluster, a, b, urls: ['sim://gone:1', 'sim://a:1'] as const }
}

test('of several addresses the next is tried when one refuses, and calls go on by it', async () => {
  const { cluster, a, b, urls } = await twoAddresses()
  await a.listen(urls[1])
  const began = cluster.clock.now()
  const echo = b.at<typeof Echo>(urls, 'echo')
  expect(await cluster.result(echo.say('hello'))).toBe('hello')
  expect(cluster.clock.now() - began).toBeLessThan(250)
  expect(await cluster.result(b.at<typeof Echo>(urls, 'echo').say('again'))).toBe('again')
  expect(a.stats().peers).toBe(1)
})

test('an address that is silent holds nobody up longer than its head start', async () => {
  const { cluster, a, b } = await twoAddresses()
  const silent = cluster.node('silent')
  await silent.listen('sim://silent:1')
  cluster.network.partition('b', 'silent', true)
  await a.listen('sim://a:1')
  const began = cluster.clock.now()
  const echo = b.at<typeof Echo>(['sim://silent:1', 'sim://a:1'], 'echo')
  expect(await cluster.result(echo.say('hello'))).toBe('hello')
  const took = cluster.clock.now() - began
  expect(took).toBeGreaterThanOrEqual(250)
  expect(took).toBeLessThan(350)
  cluster.network.partition('b', 'silent', false)
  await cluster.clock.advance(10_000)
  expect([a.stats().peers, silent.stats().peers, b.stats().peers]).toEqual([1, 0, 1])
})

test('the first address wins while it answers in time', async () => {
  const { cluster, a, b } = await twoAddresses()
  await a.listen('sim://a:1')
  const other = await cluster.node('other').listen('sim://other:1')
  const peer = await cluster.result(b.connect(['sim://a:1', other.url]))
  expect(peer.nodeId).toBe('a')
})

test('when none is reached the call fails with what the first address failed with, surely not executed', async () => {
  const { cluster, b } = await twoAddresses()
  const echo = b.at<typeof Echo>(['sim://gone:1', 'sim://gone:2'], 'echo')
  const error = await cluster.failure(echo.say('hello'))
  expect(error).toMatchObject({ code: 'RPC_CONNECT_FAILED', executed: 'no' })
  expect(error.message).toContain('gone:1')
})

test('an empty list of addresses is refused', async () => {
  const { b } = await twoAddresses()
  expect(() => b.at<typeof Echo>([], 'echo')).toThrow(RangeError)
})

test('among several addresses one of the node itself is not dialled', async () => {
  const { cluster, a } = await twoAddresses()
  await a.listen('sim://a:1')
  const echo = a.at<typeof Echo>(['sim://other:1', 'sim://a:1'], 'echo')
  expect(await cluster.result(echo.say('me'))).toBe('me')
  expect(a.stats().peers).toBe(0)
})
