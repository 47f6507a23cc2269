import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { Registry, StaticBackend } from '../src/index.ts'
import { game, ids } from './world.ts'

function make() {
  const clock = new SteppedClock()
  const nodes = [game('game_1', { weight: 2 }), game('game_2'), game('lobby_1', { role: 'lobby' })]
  const registry = new Registry(new StaticBackend(nodes, { clock }), { clock, ttlSeconds: 3 })
  return { clock, registry }
}

describe('StaticBackend', () => {
  it('shows the nodes of the list, for ever', async () => {
    const { clock, registry } = make()
    const directory = registry.watch('game')
    await directory.ready({ count: 2 })
    expect(directory.get('game_1')).toEqual({
      ...game('game_1', { weight: 2 }),
      epoch: 'static',
      state: 'ready',
    })
    await clock.advance(3_600_000)
    expect(directory.stale).toBe(false)
    expect(ids(directory.nodes)).toEqual(['game_1', 'game_2'])
    await registry.stop()
    expect(clock.pending).toBe(0)
  })

  it('lets a node of the list register itself, and hold what passes for a lease', async () => {
    const { clock, registry } = make()
    const registration = await registry.register(game('game_2', { meta: { load: 3 } }))
    const directory = registry.watch('game')
    await clock.advance(60_000)
    expect(directory.get('game_2')).toMatchObject({ epoch: registry.epoch, meta: { load: 3 } })
    expect(registration.isRegistered).toBe(true)
    expect(registry.lease.state).toBe('live')
    await registry.stop()
  })

  it('refuses claims, since no other process would know of them', async () => {
    const { registry } = make()
    await expect(registry.claim('k', 'me')).rejects.toMatchObject({ code: 'DISCOVERY_UNSUPPORTED' })
    expect(registry.lease.state).toBe('none')
  })

  it('belongs to the cluster it is told', async () => {
    const backend = new StaticBackend([game('game_1')], { cluster: 'blue' })
    const [blue, other] = [new Registry(backend, { cluster: 'blue' }), new Registry(backend)]
    await blue.watch('game').ready()
    await other.watch('game').ready({ count: 0 })
    expect(other.watch('game').nodes).toEqual([])
    await Promise.all([blue.stop(), other.stop()])
  })

  it('refuses a list with a node that is none, or there twice', () => {
    expect(() => new StaticBackend([game('a/b')])).toThrow(RangeError)
    expect(() => new StaticBackend([game('a'), game('a')])).toThrow(/nodes\/game\/a/)
  })
})
