import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import type { DiscoveryMessages } from '../src/index.ts'
import { game, World } from './world.ts'

describe('the diagnostics channels', () => {
  it('tell of leases, nodes, picks and the standing of nodes, and stats of the sums', async () => {
    const heard: string[] = []
    const listen = <Name extends keyof DiscoveryMessages>(
      name: Name,
      tell: (message: DiscoveryMessages[Name]) => string,
    ) => {
      const listener = (message: unknown) =>
        void heard.push(tell(message as DiscoveryMessages[Name]))
      subscribe(name, listener)
      return () => unsubscribe(name, listener)
    }
    const undo = [
      listen('rts:discovery:lease', ({ change, cluster }) => `${cluster} lease ${change}`),
      listen('rts:discovery:node', ({ change, node }) => `${change} ${node.id}`),
      listen('rts:discovery:pick', ({ role, node }) => `pick ${role} ${node?.id}`),
      listen('rts:discovery:health', ({ kind, node }) => `${kind} ${node.id}`),
    ]
    const world = new World()
    const { registry } = world.node()
    const registration = await world.run(registry.register(game('game_1')))
    const watcher = world.node().registry
    const directory = watcher.watch('game')
    await world.run(directory.ready())
    directory.pick()!.done({ unreachable: true })
    watcher.restore('game', 'game_1')
    watcher.lose('lobby', 'nobody is watched there')
    await world.run(registration.setState('draining'))
    await world.clock.advance(10)
    directory.pick()
    await world.run(registry.stop())
    await world.clock.advance(10)
    expect(heard).toEqual([
      'default lease live',
      'join game_1',
      'pick game game_1',
      'unreachable game_1',
      'restored game_1',
      'update game_1',
      'pick game undefined',
      'leave game_1',
    ])
    expect(watcher.stats().picks['game']).toMatchObject({ picks: 1, empty: 1, outages: 1, out: 0 })
    for (const each of undo) each()
    await world.stop()
  })
})
