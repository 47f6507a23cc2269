import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { Claim, Registry } from '../src/index.ts'
import { game, World } from './world.ts'

async function take(world: World, registry: Registry, key: string, value = 'me'): Promise<Claim> {
  const outcome = await world.run(registry.claim(key, value))
  if (!outcome.claimed) throw new Error(`${key} is held by ${outcome.holder.value}`)
  return outcome.claim
}
const inStore = async (world: World, key: string) =>
  (await world.store.range({ key: `/default/claims/${key}` })).entries[0]

describe('a claim', () => {
  it('is over the moment its lease is no longer surely held, before anybody else can have it', async () => {
    const world = new World()
    const { registry, link } = world.node()
    const claim = await take(world, registry, 'k')
    link.setFault('hang')
    const { heldUntil } = claim
    await world.clock.advance(heldUntil - world.clock.now() - 1)
    expect(claim.signal.aborted).toBe(false)
    await world.clock.advance(1)
    expect(claim.signal.reason).toMatchObject({ code: 'DISCOVERY_LEASE_LOST' })
    expect(claim.heldUntil).toBe(0)
    expect(await inStore(world, 'k')).toBeDefined()
    await world.stop()
  })

  it('is seen to be over by a process that was stopped, before any of its timers ran', async () => {
    const world = new World()
    const { registry } = world.node()
    const claim = await take(world, registry, 'k')
    world.clock.suspend(6000)
    expect(claim.heldUntil).toBeLessThan(world.clock.now())
    await world.clock.advance(1000)
    expect(claim.signal.aborted).toBe(true)
    expect(claim.heldUntil).toBe(0)
    await world.stop()
  })

  it('is not made again with the next lease: the key is free for all, the node registered', async () => {
    for (const outage of ['store', 'link'] as const) {
      const world = new World()
      const { registry, link } = world.node()
      const registration = await world.run(registry.register(game('game_1')))
      const lost = await take(world, registry, 'k')
      const broken = outage === 'store' ? world.store : link
      broken.setAvailable(false)
      await world.clock.advance(20_000)
      broken.setAvailable(true)
      await world.clock.runUntil(() => registry.lease.state === 'live')
      await world.clock.advance(300)
      expect(registration.isRegistered).toBe(true)
      expect(lost.heldUntil).toBe(0)
      expect(await inStore(world, 'k'), outage).toBeUndefined()
      const other = await take(world, world.node().registry, 'k')
      expect(other.fence).toBeGreaterThan(lost.fence)
      await world.stop()
    }
  })

  it('gets a new fence when its own process claims again what it had lost', async () => {
    const world = new World()
    const { registry } = world.node()
    const lost = await take(world, registry, 'k')
    world.store.setAvailable(false)
    await world.clock.advance(20_000)
    world.store.setAvailable(true)
    await world.clock.runUntil(() => registry.lease.state === 'live')
    const again = await take(world, registry, 'k')
    expect(again.fence).toBeGreaterThan(lost.fence)
    await world.clock.advance(60_000)
    expect(await inStore(world, 'k')).toMatchObject({ createRevision: again.fence })
    expect(again.signal.aborted).toBe(false)
    await world.stop()
  })

  it('is refused when its key or value is none or too long', async () => {
    const world = new World()
    const { registry } = world.node()
    for (const [key, value] of [
      ['', 'me'],
      ['k'.repeat(513), 'me'],
      ['k', 'v'.repeat(4097)],
    ] as const) {
      expect(await world.failure(registry.claim(key, value))).toBeInstanceOf(RangeError)
    }
    await world.stop()
  })

  it('cannot be made while no lease is held', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    link.setAvailable(false)
    await world.clock.advance(5000)
    expect(await world.failure(registry.claim('k', 'me'))).toMatchObject({
      code: 'DISCOVERY_LEASE_LOST',
      executed: 'no',
    })
    await world.stop()
  })

  it('is lost when somebody deletes or replaces its key', async () => {
    const world = new World()
    const { registry } = world.node()
    const [deleted, replaced, kept] = [
      await take(world, registry, 'deleted'),
      await take(world, registry, 'replaced'),
      await take(world, registry, 'kept'),
    ]
    const [gone, put] = ['/default/claims/deleted', '/default/claims/replaced']
    await world.store.transact({ when: [], then: [{ kind: 'delete', key: gone }] })
    await world.store.transact({ when: [], then: [{ kind: 'delete', key: put }] })
    await world.store.transact({ when: [], then: [{ kind: 'put', key: put, value: 'x' }] })
    await world.clock.advance(5000)
    expect(deleted.signal.reason).toMatchObject({ code: 'DISCOVERY_CLAIM_LOST' })
    expect(replaced.signal.reason).toMatchObject({ code: 'DISCOVERY_CLAIM_LOST' })
    expect(kept.signal.aborted).toBe(false)
    await world.stop()
  })

  it('whose answer never came belongs to nobody, and the key is freed', async () => {
    const world = new World()
    const [{ registry, link }, other] = [world.node(), world.node()]
    await world.run(registry.start())
    await world.clock.advance(1200)
    link.setFault('mute')
    const failure = await world.failure(registry.claim('k', 'me', { timeoutMs: 500 }))
    expect(failure).toMatchObject({ code: 'DISCOVERY_UNAVAILABLE', executed: 'maybe' })
    expect(await inStore(world, 'k')).toBeDefined()
    link.setFault(undefined)
    await world.clock.advance(500)
    expect(registry.lease.state).toBe('live')
    expect(await inStore(world, 'k')).toBeUndefined()
    await take(world, other.registry, 'k')
    await world.stop()
  })

  it('may be tried again at once when the answer to the first try never came', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    link.setFault('mute')
    await world.failure(registry.claim('k', 'me', { timeoutMs: 500 }))
    const left = (await inStore(world, 'k'))!
    link.setFault(undefined)
    const claim = await take(world, registry, 'k')
    expect(claim.fence).toBeGreaterThan(left.createRevision)
    await world.clock.advance(30_000)
    expect(claim.signal.aborted).toBe(false)
    expect(await inStore(world, 'k')).toMatchObject({ createRevision: claim.fence })
    await world.stop()
  })

  it('is not handed out when its answer comes after the lease was given up', async () => {
    const world = new World()
    const { registry, link } = world.node({ callTimeoutMs: 20_000 })
    await world.run(registry.start())
    link.setLatency(4000)
    const claiming = world.failure(registry.claim('k', 'me'))
    expect(await claiming).toMatchObject({ code: 'DISCOVERY_LEASE_LOST' })
    expect(registry.lease.state).toBe('lost')
    await world.stop()
  })

  it('is asked for one at a time for each key, so two calls cannot confuse each other', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    link.setLatency(200)
    const first = registry.claim('k', '1')
    await world.clock.advance(110)
    // The store has the first claim now, and its answer would be overtaken.
    link.setLatency(20)
    const outcomes = await world.run(Promise.all([first, registry.claim('k', '2')]))
    const holder = expect.objectContaining({ value: '1' }) as unknown
    expect(outcomes).toEqual([
      { claimed: true, claim: holder },
      { claimed: false, holder },
    ])
    await world.clock.advance(10_000)
    expect(await inStore(world, 'k')).toMatchObject({ value: '1' })
    await world.stop()
  })

  it('that came after its caller had gone is released', async () => {
    const world = new World()
    const { registry } = world.node()
    await world.run(registry.start())
    const abort = new AbortController()
    const claiming = world.failure(registry.claim('k', 'me', { signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await claiming).toMatchObject({ message: 'enough' })
    await world.clock.advance(1000)
    expect(await inStore(world, 'k')).toBeUndefined()
    expect(registry.stats().claims).toBe(0)
    await world.stop()
  })

  it('is released by its fence, so a late release never hits a later owner', async () => {
    const world = new World()
    const [a, b] = [world.node(), world.node()]
    const first = await take(world, a.registry, 'k')
    a.link.setFault('hang')
    const releasing = world.failure(first.release())
    expect(await releasing).toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' })
    expect(first.heldUntil).toBe(0)
    await world.clock.advance(3000)
    const second = await take(world, b.registry, 'k')
    a.link.setFault(undefined)
    await world.clock.advance(10_000)
    expect(await inStore(world, 'k')).toMatchObject({ createRevision: second.fence })
    expect(second.signal.aborted).toBe(false)
    await world.stop()
  })

  it('is removed by the audit when a write comes after all was given up', async () => {
    const world = new World()
    const { registry } = world.node()
    await world.run(registry.start())
    const key = '/default/claims/late'
    await world.store.transact({ when: [], then: [{ kind: 'put', key, value: 'me', lease: '1' }] })
    await world.clock.advance(6000)
    expect(await inStore(world, 'late')).toBeUndefined()
    await world.stop()
  })

  it('is never held by two at a time, and never with a smaller fence, over any history of faults', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = new World(seed)
      const random = seededRandom(seed)
      const nodes = Array.from({ length: 3 }, () => world.node())
      const held = new Map<number, Claim>()
      let highest = 0
      // An operator who ends a lease takes it from under its owner, who hears of it with the next keepalive.
      const isRevoking = seed % 2 === 0
      for (let step = 0; step < 80; step++) {
        const i = random.int(nodes.length)
        const { registry, link } = nodes[i]!
        const chance = random.int(10)
        if (chance < 3) {
          link.setFault(random.pick(['refuse', 'hang', 'mute', undefined, undefined, undefined]))
          link.setLatency(random.pick([0, 0, 50, 400, 1200, 2600]))
        } else if (chance === 3) {
          world.store.setFault(random.chance(0.3) ? 'refuse' : undefined)
        } else if (chance === 4 && isRevoking) {
          world.store.expireLease(String(random.int(30)))
        } else if (chance === 5) {
          held
            .get(i)
            ?.release()
            .catch(() => {})
        } else if (!((held.get(i)?.heldUntil ?? 0) > world.clock.now())) {
          registry.claim('k', `node ${i}`, { timeoutMs: 800 }).then(
            (outcome) => {
              if (!outcome.claimed) return
              expect(outcome.claim.fence, `seed ${seed}`).toBeGreaterThan(highest)
              highest = outcome.claim.fence
              held.set(i, outcome.claim)
            },
            () => {},
          )
        }
        if (random.chance(0.1)) world.clock.suspend(random.int(7000))
        else await world.clock.advance(random.int(900))
        const now = world.clock.now()
        const owners = [...held.values()].filter((claim) => now < claim.heldUntil)
        if (!isRevoking) {
          expect(owners.length, `seed ${seed} step ${step}`).toBeLessThanOrEqual(1)
        }
      }
      await world.stop()
    }
  })
})
