import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consistent, rendezvous, type PickPolicy } from '../src/index.ts'
import { Fleet, node, nodes, simulate } from './fleet.ts'

const POLICIES = ['p2c', 'roundRobin', 'weighted', 'leastLoaded'] as const
const EVERY_POLICY: readonly PickPolicy[] = [...POLICIES, consistent('k'), rendezvous('k')]

describe('a pick', () => {
  it('is undefined where nobody may be picked', () => {
    const nobody = [
      node('a', { state: 'starting' }),
      node('b', { state: 'draining' }),
      node('c', { weight: 0 }),
    ]
    for (const policy of EVERY_POLICY) {
      expect(new Fleet([]).balancer.pick(policy)).toBeUndefined()
      expect(new Fleet(nobody).balancer.pick(policy)).toBeUndefined()
    }
    expect(new Fleet([]).balancer.pick()).toBeUndefined()
  })

  it('never falls on a node that starts, drains or has no weight', () => {
    const fleet = new Fleet([
      node('a'),
      node('b', { state: 'starting' }),
      node('c', { state: 'draining' }),
      node('d', { weight: 0 }),
      node('e', { weight: 3 }),
    ])
    for (const policy of POLICIES) {
      expect(Object.keys(fleet.share(policy, 500)).sort()).toEqual(['a', 'e'])
    }
    for (const make of [consistent, rendezvous]) {
      const owners = new Set(
        Array.from({ length: 200 }, (_, i) => fleet.balancer.pick(make(`k${i}`))!.id),
      )
      expect([...owners].sort()).toEqual(['a', 'e'])
    }
  })

  it('falls evenly on equal nodes, by every policy', () => {
    for (const policy of POLICIES) {
      for (const count of Object.values(new Fleet(nodes(10)).share(policy, 10_000))) {
        expect(Math.abs(count - 1000), policy).toBeLessThan(130)
      }
    }
  })

  it('takes turns exactly by roundRobin, and by weight where weights differ', () => {
    const equal = new Fleet(nodes(3)).balancer
    const six = Array.from({ length: 6 }, () => equal.pick('roundRobin')!.id)
    expect(new Set(six.slice(0, 3)).size).toBe(3)
    expect(six.slice(3)).toEqual(six.slice(0, 3))
    const weighted = new Fleet([node('a', { weight: 1 }), node('b', { weight: 3 })])
    expect(Math.abs(weighted.share('roundRobin', 400)['a']! - 100)).toBeLessThanOrEqual(2)
    // A light node's turns are spread, not bunched.
    const order = Array.from({ length: 40 }, () => weighted.balancer.pick('roundRobin')!.id)
    expect(order.join('')).not.toMatch(/aa|bbbbbb/)
  })

  it('falls by weight as a naive model does, whatever the weights', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 8 }),
        fc.integer(),
        (weights, seed) => {
          const records = weights.map((weight, i) => node(`n${i}`, { weight }))
          const times = 20_000
          const counts = new Fleet(records, {}, { seed }).share('weighted', times)
          const sum = weights.reduce((total, weight) => total + weight, 0)
          for (const [i, weight] of weights.entries()) {
            const p = weight / sum
            // Six standard deviations.
            const slack = 6 * Math.sqrt(times * p * (1 - p))
            expect(Math.abs((counts[`n${i}`] ?? 0) - times * p)).toBeLessThanOrEqual(slack)
          }
        },
      ),
      { numRuns: 40, seed: 7 },
    )
  })

  it('goes by the load source alone where there is one', () => {
    const loads: Record<string, number> = { a: 4, b: 10, c: 9 }
    const fleet = new Fleet([node('a'), node('b', { weight: 3 }), node('c', { weight: 2 })])
    const loadOf = ({ id }: { id: string }) => loads[id]
    expect(fleet.balancer.pick({ policy: 'leastLoaded', loadOf })!.id).toBe('b')
    const busiest = new Fleet(nodes(10)).share(
      { loadOf: ({ id }) => (id === 'game_3' ? 1000 : 1) },
      1000,
    )
    expect(busiest['game_3']).toBeUndefined()
  })

  it('survives weights that make one node nearly everything', () => {
    const fleet = new Fleet([node('a', { weight: 1e12 }), node('b', { weight: 1e-12 })])
    expect(fleet.share({ loadOf: ({ id }) => (id === 'a' ? 1e30 : 0) }, 100)).toEqual({ b: 100 })
    for (const policy of EVERY_POLICY) expect(fleet.balancer.pick(policy)).toBeDefined()
  })

  it('has the fields of the record, and writes as the record', () => {
    const record = node('a', { zone: 'z', meta: { map: 'dust' } })
    const picked = new Fleet([record]).balancer.pick()!
    expect(picked.node).toBe(record)
    for (const [field, value] of Object.entries(record)) {
      expect(picked[field as 'id'], field).toBe(value)
    }
    expect(JSON.parse(JSON.stringify(picked))).toEqual(record)
  })

  it('keeps to one version where one is asked for, by every policy', () => {
    const fleet = new Fleet([...nodes(5, { version: '1' }), node('new', { version: '2' })])
    for (const policy of EVERY_POLICY) {
      expect(fleet.balancer.pick({ policy, version: '2' })!.id).toBe('new')
      expect(fleet.balancer.pick({ policy, version: '3' })).toBeUndefined()
      expect(fleet.balancer.pick({ policy, where: ({ version }) => version === '2' })!.id).toBe(
        'new',
      )
    }
  })

  it('refuses a bound that nothing could keep', () => {
    expect(() => consistent('k', { bound: 1 })).toThrow('bound must be a number above 1, got 1')
  })
})

describe('p2c', () => {
  it('is even under calls that nobody ends', () => {
    const fleet = new Fleet(nodes(10))
    const counts: Record<string, number> = {}
    for (let call = 0; call < 1000; call += 1) {
      const { id } = fleet.balancer.pick()!
      counts[id] = (counts[id] ?? 0) + 1
    }
    const all = Object.values(counts)
    expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(8)
  })

  it('gives a node that is five times as slow what it can do, and no more', () => {
    const slow = { game_0: { workMs: 50, workers: 8 } }
    const all = Object.fromEntries(nodes(10).map(({ id }) => [id, { workMs: 10, workers: 8 }]))
    const run = (policy: PickPolicy, odd = {}) =>
      simulate({
        fleet: new Fleet(nodes(10)),
        nodes: { ...all, ...odd },
        policy,
        callsPerSecond: 4000,
        forMs: 5000,
        fromMs: 1000,
      })
    const plain = run('p2c')
    const result = run('p2c', slow)
    expect(result.maxByMean).toBeLessThan(1.15)
    expect(result.p99Ms / plain.p99Ms).toBeLessThan(1.5)
    expect(result.calls['game_0']).toBeGreaterThan(20)
    expect(run('roundRobin', slow).p99Ms / plain.p99Ms).toBeGreaterThan(4)
  })

  it('hears of a node that has become fast again, because it asks now and then', () => {
    const fleet = new Fleet(nodes(2))
    for (let call = 0; call < 20_000; call += 1) {
      fleet.now += 1
      const picked = fleet.balancer.pick()!
      const isSlow = picked.id === 'game_0' && call < 2000
      picked.done({ latencyMs: isSlow ? 5000 : 5 })
    }
    const share = fleet.share('p2c', 1000)
    expect(share['game_0']).toBeGreaterThan(300)
  })

  it('avoids what nodes say of themselves, and what they have said last counts', () => {
    const fleet = new Fleet([node('a', { load: { pressure: 0.9 } }), node('b')])
    expect(fleet.share('p2c', 100)).toEqual({ b: 100 })
    fleet.balancer.tell('a', { pressure: 0 })
    fleet.balancer.tell('b', { pressure: 0.9 })
    expect(fleet.share('p2c', 100)).toEqual({ a: 100 })
    fleet.now += 400
    expect(fleet.balancer.loadOf('b')).toEqual({ load: { pressure: 0.9 }, ageMs: 400 })
    expect(fleet.balancer.loadOf('nobody')).toBeUndefined()
  })
})

describe('a pick that is done', () => {
  it('counts as in flight until then, once', () => {
    const { balancer } = new Fleet(nodes(1))
    const picked = balancer.pick()!
    expect(balancer.stats().inFlight).toBe(1)
    picked.done()
    picked.done({ failed: true })
    expect(balancer.stats()).toMatchObject({ inFlight: 0, failed: 0, picks: 1 })
    {
      using again = balancer.pick()!
      expect(again.id).toBe('game_0')
      expect(balancer.stats().inFlight).toBe(1)
    }
    expect(balancer.stats().inFlight).toBe(0)
  })

  it('measures the time since the pick when it is told none', () => {
    const fleet = new Fleet(nodes(1))
    const picked = fleet.balancer.pick()!
    fleet.now += 12
    picked.done()
    expect(fleet.balancer.explain().nodes[0]!.latencyMs).toBe(12)
  })

  it('is forgotten when nobody ever says so, and counts no more when somebody does later', () => {
    const fleet = new Fleet(nodes(1), { forgetMs: 1000 })
    const late = fleet.balancer.pick()!
    fleet.now += 999
    fleet.balancer.pick()
    fleet.now += 1
    fleet.balancer.pick()
    expect(fleet.balancer.stats().inFlight).toBe(3)
    fleet.now += 1000
    fleet.balancer.pick()
    expect(fleet.balancer.stats().inFlight).toBe(2)
    late.done()
    expect(fleet.balancer.stats().inFlight).toBe(2)
    fleet.now += 10_000
    fleet.balancer.pick()!.done()
    expect(fleet.balancer.stats().inFlight).toBe(0)
  })

  it('counts no more when its node has left or was started anew', () => {
    const fleet = new Fleet(nodes(2))
    const calls = Array.from({ length: 4 }, () => fleet.balancer.pick('roundRobin')!)
    fleet.balancer.remove('game_0')
    fleet.balancer.set(node('game_1', { epoch: 'f' }), true)
    expect(fleet.balancer.stats().inFlight).toBe(0)
    for (const call of calls) call.done({ unreachable: true })
    expect(fleet.balancer.stats()).toMatchObject({ inFlight: 0, outages: 0 })
  })
})
