import { describe, expect, it } from 'vitest'
import type { Registry } from '../src/index.ts'
import { game, ids, World } from './world.ts'

async function make(count = 3) {
  const world = new World()
  const nodes = []
  for (let i = 1; i <= count; i++) {
    const { registry, link } = world.node()
    const registration = await world.run(registry.register(game(`game_${i}`)))
    nodes.push({ registry, link, registration })
  }
  const { registry, link } = world.node()
  const directory = registry.watch('game')
  const heard: string[] = []
  directory.on('join', (node) => heard.push(`join ${node.id}`))
  directory.on('leave', (node) => heard.push(`leave ${node.id}`))
  directory.on('stale', (isStale) => heard.push(isStale ? 'stale' : 'fresh'))
  await world.clock.settle()
  return { world, nodes, registry, link, directory, heard }
}

describe('a directory', () => {
  it('waits until enough nodes are ready to be picked', async () => {
    const { world, directory, nodes } = await make(1)
    await world.run(nodes[0]!.registration.setState('starting'))
    await world.clock.settle()
    const waiting = directory.ready({ count: 2 })
    const { registry } = world.node()
    await world.run(registry.register(game('game_2')))
    await world.clock.advance(1000)
    await world.run(nodes[0]!.registration.setState('ready'))
    await world.run(waiting, 10)
    await world.run(directory.ready({ count: 0 }), 0)
    await world.stop()
  })

  it('says what was missing when it is not ready in time, and hears an abort', async () => {
    const { world, directory } = await make(1)
    expect(await world.failure(directory.ready({ count: 3, timeoutMs: 500 }))).toMatchObject({
      code: 'DISCOVERY_NOT_READY',
      message: '1 of 3 game nodes after 500 ms',
    })
    const signal = AbortSignal.abort(new Error('enough'))
    expect(await world.failure(directory.ready({ count: 3, signal }))).toMatchObject({
      message: 'enough',
    })
    await world.stop()
  })

  it('is a new array after each change and the same one until then, in the order of ids', async () => {
    const { world, directory, nodes } = await make(3)
    const before = directory.nodes
    expect(ids(before)).toEqual(['game_1', 'game_2', 'game_3'])
    expect(directory.nodes).toBe(before)
    await world.run(nodes[1]!.registration.leave())
    await world.clock.settle()
    expect(ids(directory.nodes)).toEqual(['game_1', 'game_3'])
    expect(ids(before)).toHaveLength(3)
    await world.stop()
  })

  it('serves its last good view for as long as the backend is away', async () => {
    const { world, directory, link } = await make(3)
    link.setAvailable(false)
    await world.clock.advance(600_000)
    expect(directory.stale).toBe(true)
    for (let i = 0; i < 100; i++) expect(directory.pick()).toBeDefined()
    await world.stop()
  })

  it('keeps nodes whose leases ended in a partition until they have had time to come back', async () => {
    const { world, directory, nodes, link, heard } = await make(3)
    heard.length = 0
    // The store hears nobody for longer than any lease, then everybody again; one node died meanwhile.
    for (const each of [link, ...nodes.map((node) => node.link)]) each.setAvailable(false)
    await world.clock.advance(10_000)
    expect((await world.store.range({ prefix: '/' })).entries).toEqual([])
    for (const each of [link, nodes[0]!.link, nodes[1]!.link]) each.setAvailable(true)
    await world.clock.advance(1500)
    expect(heard).toEqual(['stale', 'fresh'])
    expect(directory.nodes).toHaveLength(3)
    await world.clock.advance(3000)
    expect(heard).toEqual(['stale', 'fresh', 'leave game_3'])
    expect(ids(directory.nodes)).toEqual(['game_1', 'game_2'])
    await world.stop()
  })

  it('keeps them also when the history of the partition is gone and only a list tells', async () => {
    const { world, directory, nodes, link, heard } = await make(2)
    heard.length = 0
    for (const each of [link, ...nodes.map((node) => node.link)]) each.setAvailable(false)
    await world.clock.advance(10_000)
    world.store.compact()
    link.setAvailable(true)
    await world.clock.runUntil(() => !directory.stale, { limitMs: 1000 })
    for (const { link: of } of nodes) of.setAvailable(true)
    await world.clock.advance(10_000)
    expect(heard).toEqual(['stale', 'fresh'])
    await world.stop()
  })

  it('keeps them also when the partition came before the first watch had begun', async () => {
    const { world, nodes } = await make(2)
    const { registry, link } = world.node()
    const directory = registry.watch('game')
    await directory.ready()
    for (const each of [link, ...nodes.map((node) => node.link)]) each.setAvailable(false)
    await world.clock.advance(10_000)
    for (const each of [link, ...nodes.map((node) => node.link)]) each.setAvailable(true)
    const heard: string[] = []
    directory.on('leave', (node) => heard.push(node.id))
    await world.clock.advance(10_000)
    expect(heard).toEqual([])
    expect(directory.nodes).toHaveLength(2)
    await world.stop()
  })

  it('lets a node that said goodbye go at once, also right after an outage', async () => {
    const { world, directory, nodes, link } = await make(2)
    await world.run(nodes[0]!.registration.setState('draining'))
    await world.clock.settle()
    link.setAvailable(false)
    await world.clock.advance(100)
    link.setAvailable(true)
    await world.clock.advance(1000)
    await world.run(nodes[0]!.registration.leave())
    await world.clock.settle()
    expect(ids(directory.nodes)).toEqual(['game_2'])
    await world.stop()
  })

  it('drops a node that crashed when its lease ends', async () => {
    const { world, directory, nodes } = await make(2)
    nodes[0]!.link.setFault('hang')
    await world.clock.advance(3000)
    expect(ids(directory.nodes)).toEqual(['game_2'])
    await world.stop()
  })

  it('ignores and counts what is no record, or stands under the wrong key', async () => {
    const { world, directory, registry } = await make(1)
    const good = (await world.store.range({ prefix: '/default/nodes/game/' })).entries[0]!.value
    for (const [id, value] of [
      ['x', 'rubbish'],
      ['y', good],
      ['z/z', '{}'],
    ] as const) {
      const key = `/default/nodes/game/${id}`
      await world.store.transact({ when: [], then: [{ kind: 'put', key, value }] })
    }
    await world.clock.settle()
    expect(ids(directory.nodes)).toEqual(['game_1'])
    expect(registry.stats().malformedRecords).toBe(3)
    await world.stop()
  })

  it('picks with the load source of the pick, else of the registry', async () => {
    const { world } = await make(3)
    const loads: Record<string, number> = { game_1: 5, game_2: 1, game_3: 9 }
    const { registry } = world.node({ loadOf: (node) => loads[node.id] })
    const directory = registry.watch('game')
    await world.run(directory.ready({ count: 3 }))
    expect(directory.pick('leastLoaded')?.id).toBe('game_2')
    const loadOf = ({ id }: { id: string }) => -loads[id]! + 10
    expect(directory.pick({ policy: 'leastLoaded', loadOf })?.id).toBe('game_3')
    await world.stop()
  })

  it('takes turns also among the nodes that a condition leaves', async () => {
    const { world, directory } = await make(3)
    const where = (node: { id: string }) => node.id !== 'game_2'
    const picks = Array.from(
      { length: 4 },
      () => directory.pick({ policy: 'roundRobin', where })!.id,
    )
    expect(new Set(picks.slice(0, 2))).toEqual(new Set(['game_1', 'game_3']))
    expect(picks.slice(2)).toEqual(picks.slice(0, 2))
    expect(directory.pick({ where: () => false })).toBeUndefined()
    await world.stop()
  })

  it('lets nobody wait for a registry that stops', async () => {
    const { world, directory, registry } = await make(1)
    const waiting = directory.ready({ count: 2 }).catch((error: unknown) => error)
    await world.run(registry.stop())
    expect(await waiting).toMatchObject({ code: 'DISCOVERY_STOPPED' })
    await expect(directory.ready()).rejects.toMatchObject({ code: 'DISCOVERY_STOPPED' })
    await world.stop()
  })

  it('stops telling when its registry stops, and keeps what it knew', async () => {
    const { world, directory, registry, nodes, heard } = await make(2)
    await world.run((registry as Registry).stop())
    heard.length = 0
    await world.run(nodes[0]!.registry.stop())
    await world.clock.advance(10_000)
    expect(heard).toEqual([])
    expect(directory.nodes).toHaveLength(2)
    await world.stop()
  })
})
