import { describe, expect, it } from 'vitest'
import { World } from './world.ts'

describe('an election', () => {
  it('has no two leaders while a cut-off one may still believe in its office', async () => {
    const world = new World()
    const [a, b] = [world.node(), world.node()]
    const first = await world.run(a.registry.elect('m').campaign('a'))
    const campaign = b.registry.elect('m').campaign('b')
    a.link.setFault('hang')
    const second = await world.run(campaign)
    expect(world.clock.now()).toBeGreaterThanOrEqual(first.heldUntil)
    expect(first.signal.reason).toMatchObject({ code: 'DISCOVERY_LEASE_LOST' })
    expect(second.fence).toBeGreaterThan(first.fence)
    await world.stop()
  })

  it('may be stood for again after a loss, and given up while waiting', async () => {
    const world = new World()
    const [a, b] = [world.node(), world.node()]
    const office = a.registry.elect('m')
    const first = await world.run(office.campaign('a'))
    a.link.setAvailable(false)
    await world.clock.advance(8000)
    a.link.setAvailable(true)
    expect(first.signal.aborted).toBe(true)
    const second = await world.run(office.campaign('a'))
    expect(second.fence).toBeGreaterThan(first.fence)
    const waiting = b.registry
      .elect('m')
      .campaign('b')
      .catch((error: Error) => error)
    await world.clock.advance(100)
    await world.run(b.registry.elect('m').resign())
    expect(await waiting).toMatchObject({ name: 'AbortError' })
    await world.run(b.registry.elect('m').resign())
    expect(await world.run(office.leader())).toMatchObject({ value: 'a', fence: second.fence })
    await world.stop()
  })

  it('tells observers the leader it knows while the store is away, and the new one after', async () => {
    const world = new World()
    const [a, b, watcher] = [world.node(), world.node(), world.node()]
    const heard: (string | undefined)[] = []
    watcher.registry.elect('m').observe((leader) => heard.push(leader?.value))
    const first = await world.run(a.registry.elect('m').campaign('a'))
    watcher.link.setAvailable(false)
    await world.run(first.release())
    await world.run(b.registry.elect('m').campaign('b'))
    expect(heard).toEqual([undefined, 'a'])
    watcher.link.setAvailable(true)
    await world.clock.advance(2000)
    expect(heard).toEqual([undefined, 'a', undefined, 'b'])
    await world.stop()
  })
})
