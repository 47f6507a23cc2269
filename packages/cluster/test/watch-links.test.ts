import { expect, test } from 'vitest'
import type { ClusterNode } from '../src/index.ts'
import { TestCluster } from './test-cluster.ts'

class Echo {
  static readonly rpc = { hello: 'server' } as const
  hello(): string {
    return 'hello'
  }
}

async function linked() {
  const cluster = new TestCluster()
  let pressure = 0.25
  const games: ClusterNode[] = []
  for (const id of ['game_1', 'game_2', 'game_3']) {
    games.push(
      await cluster.start(id, {
        services: { echo: new Echo() },
        load: { read: () => ({ pressure, sessions: 5 }) },
      }),
    )
  }
  const lobby = await cluster.start('lobby_1')
  const directory = lobby.directory('game')
  await cluster.wait(directory.ready({ count: 3 }))
  const call = async (url: string) => lobby.rpc.at<typeof Echo>(url, 'echo').hello()
  for (const { location } of games) await cluster.wait(call(location.url))
  const picks = () => new Set(Array.from({ length: 60 }, () => directory.pick('roundRobin')!.id))
  return {
    cluster,
    games,
    lobby,
    directory,
    picks,
    call,
    setPressure: (to: number) => void (pressure = to),
  }
}

test('a node that crashes is not picked 200 ms later, long before its lease ends', async () => {
  const { cluster, picks, directory } = await linked()
  expect(picks().size).toBe(3)
  cluster.crash('game_2')
  await cluster.clock.advance(200)
  expect([...picks()].sort()).toEqual(['game_1', 'game_3'])
  expect(directory.get('game_2')).toBeDefined()
})

test('a node that falls silent is not picked three seconds later', async () => {
  const { cluster, picks } = await linked()
  await cluster.clock.advance(1500)
  cluster.network.partition('lobby_1', 'game_2', true)
  await cluster.clock.advance(3000)
  expect([...picks()].sort()).toEqual(['game_1', 'game_3'])
})

test('a node whose link was cut is picked again once a link stands', async () => {
  const { cluster, picks, games, call } = await linked()
  cluster.network.cut('lobby_1', 'game_2')
  await cluster.clock.advance(10)
  expect(picks().size).toBe(2)
  await cluster.wait(call(games[1]!.location.url))
  expect(picks().size).toBe(3)
})

test('loads come over the links, are never older than 1.2 s, and cost the store no writes', async () => {
  const { cluster, games, directory, setPressure } = await linked()
  setPressure(0.5)
  await cluster.clock.advance(1200)
  const writesBefore = games.map(({ registry }) => registry.stats().loadWrites)
  for (let step = 0; step < 100; step += 1) {
    await cluster.clock.advance(97)
    for (const { id } of games) {
      const heard = directory.loadOf(id)!
      expect(heard.load).toMatchObject({ pressure: 0.5, sessions: 5 })
      expect(heard.ageMs).toBeLessThanOrEqual(1200)
    }
  }
  await cluster.clock.advance(10_000)
  // One class changed; then nothing.
  expect(writesBefore.every((writes) => writes <= 1)).toBe(true)
  const after = games.map(({ registry }) => registry.stats().loadWrites)
  await cluster.clock.advance(60_000)
  expect(games.map(({ registry }) => registry.stats().loadWrites)).toEqual(after)
})
