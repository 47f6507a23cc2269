import { expect, test } from 'vitest'
import { CLOSE, settle } from '../src/index.ts'
import { SimCluster } from './support.ts'

test('an idle link between servers stays open, and its round trip is measured', async () => {
  const cluster = new SimCluster(1, { delayMs: 20 })
  const { atA, atB } = await cluster.pair(cluster.node('a'), cluster.node('b'))
  await cluster.clock.advance(60_000)
  expect([atA.isOpen, atB.isOpen]).toEqual([true, true])
  expect(atA.rttMs).toBeGreaterThanOrEqual(39)
  expect(atA.rttMs).toBeLessThanOrEqual(42)
})

test('silent loss is found within three seconds, by both ends, and fails pending calls', async () => {
  for (const offsetMs of [0, 137, 510, 999]) {
    const cluster = new SimCluster()
    const a = cluster.node('a')
    const b = cluster.node('b')
    const { atA, atB } = await cluster.pair(a, b)
    await cluster.clock.advance(5000 + offsetMs)
    const closed: number[] = []
    atA.on('closed', (code) => closed.push(code))
    a.expose('x', { never: () => new Promise(() => {}) }, { never: 'server' })
    const remote = atB.service('x') as unknown as { never(): Promise<void> }
    const call = settle(remote.never())
    await cluster.clock.advance(10)
    cluster.network.partition('a', 'b', true)
    const lostAt = cluster.clock.now()
    await cluster.clock.runUntil(() => !atA.isOpen && !atB.isOpen)
    expect(cluster.clock.now() - lostAt).toBeLessThanOrEqual(3000)
    expect(cluster.clock.now() - lostAt).toBeGreaterThan(1500)
    await cluster.clock.advance(10)
    expect((await call)[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    expect(closed).toEqual([CLOSE.unresponsive])
    expect(a.stats().unresponsive).toBe(1)
  }
})

test('half-open: the end that hears nothing gives up, and the other learns of it', async () => {
  const cluster = new SimCluster()
  const { atA, atB } = await cluster.pair(cluster.node('a'), cluster.node('b'))
  await cluster.clock.advance(2000)
  cluster.network.partition('a', 'b', true, { oneWay: true })
  const lostAt = cluster.clock.now()
  await cluster.clock.runUntil(() => !atB.isOpen)
  expect(cluster.clock.now() - lostAt).toBeLessThanOrEqual(3000)
  await cluster.clock.advance(20)
  expect(atA.isOpen).toBe(false)
})

test('servers tell each other a few bytes with every ping, both ways', async () => {
  const cluster = new SimCluster(1, { delayMs: 20 })
  const heard: [at: number, by: string, from: string, byte: number | undefined][] = []
  const beat = (name: string, byte: number) => ({
    write: () => (byte === 0 ? undefined : Uint8Array.of(byte)),
    read: (peer: { nodeId: string }, bytes: Uint8Array) => {
      heard.push([cluster.clock.now(), name, peer.nodeId, bytes[0]])
      throw new Error('a reader that throws harms nobody')
    },
  })
  const nodes = (
    [
      ['a', 1],
      ['b', 2],
      ['c', 0],
    ] as const
  ).map(([id, byte]) => cluster.node(id, { beat: beat(id, byte) }))
  const { atA } = await cluster.pair(nodes[0]!, nodes[1]!)
  const silent = await cluster.pair(nodes[2]!, nodes[0]!)
  await cluster.clock.advance(10_000)
  expect(atA.isOpen && silent.atA.isOpen).toBe(true)
  for (const [by, from, byte] of [
    ['a', 'b', 2],
    ['b', 'a', 1],
    ['c', 'a', 1],
  ] as const) {
    const times = heard.filter(([, name, of]) => name === by && of === from)
    expect(times.every((each) => each[3] === byte)).toBe(true)
    const gaps = times.slice(1).map(([at], index) => at - times[index]![0])
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1200)
  }
  expect(heard.some(([, , from]) => from === 'c')).toBe(false)
})

test('a process that stood still itself does not blame its peers', async () => {
  const cluster = new SimCluster()
  const { atA, atB } = await cluster.pair(cluster.node('a'), cluster.node('b'))
  await cluster.clock.advance(2500)
  cluster.clock.suspend(20_000)
  await cluster.clock.advance(3000)
  expect([atA.isOpen, atB.isOpen]).toEqual([true, true])
})

test('players are not pinged, and a node without server links keeps no timer', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', { trustLoopback: false })
  const b = cluster.node('b', { trustLoopback: false })
  const { atA } = await cluster.pair(a, b)
  await cluster.clock.advance(100)
  expect(cluster.clock.pending).toBe(0)
  await cluster.clock.advance(10_000)
  expect(atA.isOpen).toBe(true)
})

test('the timer of the pings ends with the last server link', async () => {
  const cluster = new SimCluster()
  const { atB } = await cluster.pair(cluster.node('a'), cluster.node('b'))
  await cluster.clock.advance(2000)
  atB.close()
  await cluster.clock.advance(100)
  expect(cluster.clock.pending).toBe(0)
})
