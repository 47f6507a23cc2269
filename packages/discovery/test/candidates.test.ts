import { describe, expect, it } from 'vitest'
import { consistent } from '../src/index.ts'
import { Fleet, node, nodes } from './fleet.ts'

const zoned = (count: number) =>
  ['a', 'b'].flatMap((zone) =>
    Array.from({ length: count }, (_, i) => node(`${zone}${i}`, { zone })),
  )

const countOf = (share: Record<string, number>, prefix: string): number =>
  Object.entries(share).reduce((sum, [id, n]) => sum + (id.startsWith(prefix) ? n : 0), 0)

describe('zones', () => {
  it('keep picks near while enough nodes there are well, and spill over as they fall out', () => {
    const fleet = new Fleet(zoned(5), { zone: 'a' })
    for (const policy of ['p2c', 'roundRobin', 'weighted', 'leastLoaded'] as const) {
      expect(countOf(fleet.share(policy, 500), 'b'), policy).toBe(0)
    }
    fleet.balancer.lose('a0')
    expect(countOf(fleet.share('p2c', 500), 'b')).toBe(0)
    fleet.balancer.lose('a1')
    fleet.balancer.lose('a2')
    // Two of five are left: 1.4 x 2/5 of the picks stay.
    expect(countOf(fleet.share('p2c', 2000), 'a') / 2000).toBeCloseTo(0.56, 1)
    fleet.balancer.lose('a3')
    fleet.balancer.lose('a4')
    expect(countOf(fleet.share('p2c', 500), 'b')).toBe(500)
  })

  it('are no matter where the own one has no nodes, and for keys', () => {
    expect(countOf(new Fleet(zoned(5), { zone: 'c' }).share('p2c', 500), 'b')).toBeGreaterThan(100)
    const near = new Fleet(zoned(5), { zone: 'a' })
    const far = new Fleet(zoned(5), { zone: 'b' })
    for (let i = 0; i < 100; i += 1) {
      const policy = consistent(`k${i}`)
      expect(near.balancer.pick(policy)!.id).toBe(far.balancer.pick(policy)!.id)
    }
  })
})

describe('a subset', () => {
  it('limits every policy but those by key, is spread over clients, and hardly changes', () => {
    const size = 10
    const seen: Record<string, number> = {}
    const of = (key: string, count: number) =>
      Object.keys(new Fleet(nodes(count), { subset: { key, size } }).share('roundRobin', 50))
    for (let client = 0; client < 100; client += 1) {
      const subset = of(`gate_${client}`, 50)
      expect(subset).toHaveLength(size)
      for (const id of subset) seen[id] = (seen[id] ?? 0) + 1
      const after = of(`gate_${client}`, 49)
      expect(after.filter((id) => !subset.includes(id)).length).toBeLessThanOrEqual(1)
    }
    // A hundred clients of ten links over fifty nodes: twenty for each, give or take.
    expect(Object.keys(seen)).toHaveLength(50)
    expect(Math.max(...Object.values(seen))).toBeLessThan(40)
  })
})

describe('a slow start', () => {
  it('lets a node that joins late grow to its share, and not those that were there first', () => {
    const fleet = new Fleet(nodes(4), { slowStartMs: 10_000 })
    fleet.balancer.set(node('late'), true)
    const share = () => (fleet.share('weighted', 5000)['late'] ?? 0) / 1000
    expect(share()).toBeCloseTo(0.12, 1)
    fleet.now += 5000
    expect(share()).toBeCloseTo(0.55, 1)
    fleet.now += 5000
    expect(share()).toBeCloseTo(1, 1)
  })

  it('begins again when a node was started anew, and not when its record changed', () => {
    const fleet = new Fleet(nodes(2), { slowStartMs: 10_000 })
    fleet.balancer.set(node('game_0', { meta: { map: 'dust' } }), true)
    expect(fleet.share('roundRobin', 100)['game_0']).toBe(50)
    fleet.balancer.set(node('game_0', { epoch: 'f' }), true)
    expect(fleet.share('roundRobin', 100)['game_0']).toBeLessThan(15)
    // Nobody is compared with its draw alone: the one that is least loaded would be the new one, always.
    expect(fleet.share('p2c', 1000)['game_0']).toBeGreaterThan(10)
  })

  it('gives a node its first pick soon, however idle the others are', () => {
    const fleet = new Fleet(nodes(20))
    fleet.balancer.set(node('late'), true)
    for (const policy of ['p2c', 'roundRobin', 'weighted'] as const) {
      expect(fleet.share(policy, 2000)['late'], policy).toBeGreaterThan(0)
    }
  })
})
