import { describe, expect, it } from 'vitest'
import { game, World } from './world.ts'

async function make() {
  const world = new World()
  const { registry, link } = world.node()
  const registration = await world.run(registry.register(game('game_1', { meta: { map: 'dust' } })))
  const operator = world.node().registry
  const directory = operator.watch('game')
  await world.run(directory.ready())
  return { world, registry, link, registration, operator, directory }
}

describe('an order from outside', () => {
  it('drains a node at once for everybody, and the node obeys and keeps it', async () => {
    const { world, registration, operator, directory } = await make()
    const ordered = await world.run(operator.order('game', 'game_1', 'draining'))
    expect(ordered).toMatchObject({ id: 'game_1', state: 'draining' })
    await world.clock.advance(100)
    expect(directory.pick()).toBeUndefined()
    expect(registration.record).toMatchObject({ state: 'draining', meta: { map: 'dust' } })
    expect(registration.isRegistered).toBe(true)
    await world.run(registration.update({ map: 'ice' }))
    expect(directory.get('game_1')).toMatchObject({ state: 'draining', meta: { map: 'ice' } })
    await world.run(operator.order('game', 'game_1', 'ready'))
    await world.clock.advance(100)
    expect(registration.record.state).toBe('ready')
    expect(directory.pick()?.id).toBe('game_1')
    await world.stop()
  })

  it('is obeyed once: what the node itself says later stands', async () => {
    const { world, registration, operator, directory, link } = await make()
    await world.run(operator.order('game', 'game_1', 'draining'))
    await world.clock.advance(100)
    await world.run(registration.setState('ready'))
    link.setAvailable(false)
    await world.clock.advance(10_000)
    link.setAvailable(true)
    await world.clock.advance(5000)
    expect(registration.record.state).toBe('ready')
    expect(directory.get('game_1')!.state).toBe('ready')
    await world.stop()
  })

  it('outlives the loss of the lease, and not the process', async () => {
    const { world, registry, registration, operator, link, directory } = await make()
    await world.run(operator.order('game', 'game_1', 'draining'))
    await world.clock.advance(100)
    link.setAvailable(false)
    await world.clock.advance(20_000)
    link.setAvailable(true)
    await world.clock.advance(5000)
    expect(registration.isRegistered).toBe(true)
    expect(directory.get('game_1')!.state).toBe('draining')
    await world.run(registry.stop())
    const again = world.node().registry
    await world.run(again.register(game('game_1')))
    await world.clock.advance(100)
    expect(directory.pick()?.id).toBe('game_1')
    await world.stop()
  })

  it('meets a change that the node makes at the same time, and neither is lost', async () => {
    const { world, registration, operator, directory } = await make()
    for (const [round, state] of (['draining', 'ready', 'draining'] as const).entries()) {
      await world.run(
        Promise.all([operator.order('game', 'game_1', state), registration.update({ round })]),
      )
      await world.clock.advance(1000)
      expect(directory.get('game_1')).toMatchObject({ state, meta: { round } })
      expect(registration.record).toMatchObject({ state, meta: { round } })
    }
    await world.stop()
  })

  it('says when there is nobody to obey, and changes nothing that is so already', async () => {
    const { world, operator, directory } = await make()
    expect(await world.run(operator.order('game', 'nobody', 'draining'))).toBeUndefined()
    const before = directory.get('game_1')
    expect(await world.run(operator.order('game', 'game_1', 'ready'))).toEqual(before)
    await world.stop()
  })

  it('is told from a change by hand, which is undone', async () => {
    const { world, registration, directory } = await make()
    const key = '/default/nodes/game/game_1'
    const value = JSON.stringify({ ...registration.record, state: 'draining' })
    await world.store.transact({ when: [], then: [{ kind: 'put', key, value }] })
    await world.clock.advance(1000)
    expect(directory.get('game_1')!.state).toBe('ready')
    await world.stop()
  })
})
