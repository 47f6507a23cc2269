import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { Registry } from '../src/index.ts'
import { itIsARegistry } from './registry-conformance.ts'
import { game, ids, World } from './world.ts'

itIsARegistry('MemoryBackend', async () => {
  const world = new World()
  const { clock } = world
  return {
    connect: () => world.store.client(),
    options: () => ({ clock, random: world.random.fork() }),
    until: (check) => clock.runUntil(check),
    run: (promise) => world.run(promise),
    close: async () => {},
  }
})

describe('Registry', () => {
  it('fails to start with a code when the backend is down, and starts later all the same', async () => {
    const world = new World()
    const { registry } = world.node({ connectTimeoutMs: 2000 })
    world.store.setAvailable(false)
    const before = world.clock.now()
    expect(await world.failure(registry.start())).toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' })
    expect(world.clock.now() - before).toBeLessThanOrEqual(2000)
    expect(world.clock.pending).toBe(0)
    world.store.setAvailable(true)
    await world.run(registry.start())
    expect(registry.lease.state).toBe('live')
    await world.stop()
  })

  it('opens the backend once and closes it once, also after a failed start', async () => {
    const world = new World()
    const { registry, link } = world.node({ connectTimeoutMs: 100 })
    const calls: string[] = []
    link.open = () => void calls.push('open')
    link.close = async () => void calls.push('close')
    world.store.setAvailable(false)
    await world.failure(registry.start())
    expect(calls).toEqual(['open', 'close'])
    world.store.setAvailable(true)
    registry.watch('game')
    await world.run(registry.register(game('game_1')))
    await world.run(registry.stop())
    expect(calls).toEqual(['open', 'close', 'open', 'close'])
  })

  it('starts by itself with the first node or claim, and not for a watch', async () => {
    const world = new World()
    const [a, b, c] = [world.node(), world.node(), world.node()].map((each) => each.registry) as [
      Registry,
      Registry,
      Registry,
    ]
    await world.run(a.register(game('game_1')))
    await world.run(b.claim('k', 'b'))
    await world.run(c.watch('game').ready())
    expect([a, b, c].map((each) => each.lease.state)).toEqual(['live', 'live', 'none'])
    await world.stop()
  })

  it('gives the same directory for the same role', async () => {
    const world = new World()
    const { registry } = world.node()
    expect(registry.watch('game')).toBe(registry.watch('game'))
    expect(registry.watch('game')).not.toBe(registry.watch('lobby'))
    await world.stop()
  })

  it('stops in bounded time while the backend is away, and leaves nothing running', async () => {
    for (const fault of ['refuse', 'hang', 'mute'] as const) {
      const world = new World()
      const { registry, link } = world.node({ stopTimeoutMs: 1000 })
      await world.run(registry.register(game('game_1')))
      registry.watch('game')
      await world.clock.advance(100)
      link.setFault(fault)
      const before = world.clock.now()
      await world.run(Promise.all([registry.stop(), registry.stop()]))
      expect(world.clock.now() - before).toBeLessThanOrEqual(1000)
      await world.clock.advance(5000)
      expect(world.clock.pending, fault).toBe(0)
    }
  })

  it('takes its nodes out before it ends the lease', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.register(game('game_1')))
    const order: string[] = []
    const { transact, revokeLease } = link
    link.transact = (transaction, options) => {
      order.push(...transaction.then.map((operation) => `${operation.kind} ${operation.key}`))
      return transact.call(link, transaction, options)
    }
    link.revokeLease = (lease, options) => {
      order.push('revoke')
      return revokeLease.call(link, lease, options)
    }
    await world.run(registry.stop())
    expect(order).toEqual(['delete /default/nodes/game/game_1', 'revoke'])
  })

  it('tells of the lease: suspect, lost and live again', async () => {
    const world = new World()
    const { registry, link } = world.node()
    const heard: string[] = []
    registry.on('lease-live', ({ renewed }) => heard.push(renewed ? 'renewed' : 'new'))
    registry.on('lease-suspect', () => heard.push('suspect'))
    registry.on('lease-lost', ({ reason }) => heard.push(reason))
    const undo = registry.on('registered', (record) => heard.push(record.id))
    await world.run(registry.register(game('game_1')))
    link.setAvailable(false)
    await world.clock.advance(10_000)
    link.setAvailable(true)
    await world.clock.advance(1000)
    undo()
    expect(heard).toEqual(['new', 'game_1', 'suspect', 'fenced', 'new', 'game_1'])
    expect(registry.stats()).toMatchObject({ leaseLosses: 1, registrations: 2 })
    await world.stop()
  })

  it('goes on when a listener throws', async () => {
    const world = new World()
    const errors: unknown[] = []
    const logger = {
      debug() {},
      info() {},
      warn() {},
      error: (_: string, f?: object) => errors.push(f),
    }
    const { registry } = world.node({ logger })
    registry.on('lease-live', () => {
      throw new Error('mine')
    })
    const directory = registry.watch('game')
    directory.on('join', () => {
      throw new Error('mine too')
    })
    await world.run(registry.register(game('game_1')))
    await world.run(directory.ready())
    expect(errors).toMatchObject([{ event: 'lease-live' }, { event: 'join' }])
    await world.stop()
  })

  it('names the option that is wrong', () => {
    const { store } = new World()
    const make = (options: object) => () => new Registry(store, options)
    expect(make({ ttlSeconds: 0 })).toThrow(/ttlSeconds .* got 0/)
    expect(make({ ttlSeconds: 2.5 })).toThrow(/ttlSeconds .* got 2.5/)
    expect(make({ fenceMarginMs: 10_000 })).toThrow(/fenceMarginMs .* got 10000/)
    expect(make({ callTimeoutMs: Number.NaN })).toThrow(/callTimeoutMs .* got NaN/)
    expect(make({ cluster: 'a/b' })).toThrow(/cluster .* "a\/b"/)
    expect(() => new Registry(store).watch('')).toThrow(/role .* ""/)
  })

  it('does the same twice from the same seed', async () => {
    const history = async () => {
      const world = new World(7)
      const random = seededRandom(7)
      const log: string[] = []
      const nodes = ['a', 'b', 'c'].map((id) => ({ id, ...world.node() }))
      for (const { id, registry } of nodes) {
        const directory = registry.watch('game')
        const note = (what: string) => log.push(`${world.clock.now()} ${id} ${what}`)
        directory.on('join', (node) => note(`join ${node.id} ${node.epoch}`))
        directory.on('leave', (node) => note(`leave ${node.id}`))
        registry.on('lease-lost', ({ reason }) => note(reason))
        await world.run(registry.register(game(`game_${id}`)))
      }
      for (let step = 0; step < 30; step++) {
        const { link } = random.pick(nodes)
        link.setFault(random.pick(['refuse', 'hang', 'mute', undefined, undefined]))
        await world.clock.advance(random.int(3000))
        log.push(ids(nodes[0]!.registry.watch('game').nodes).join())
      }
      await world.stop()
      return log
    }
    const first = await history()
    expect(first.length).toBeGreaterThan(40)
    expect(await history()).toEqual(first)
  })
})
