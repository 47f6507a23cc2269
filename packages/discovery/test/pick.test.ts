import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { NodeRecord, PickPolicy } from '../src/index.ts'
import { Picker, type LoadOf } from '../src/pick.ts'

const node = (id: string, rest: Partial<NodeRecord> = {}): NodeRecord => ({
  id,
  epoch: 'e',
  role: 'game',
  addresses: {},
  state: 'ready',
  ...rest,
})
const POLICIES = ['p2c', 'roundRobin', 'random', 'leastLoaded'] as const

function picker(nodes: readonly NodeRecord[], seed = 1) {
  return new Picker(nodes, seededRandom(seed), { next: 0 })
}
function share(of: Picker, policy: PickPolicy, times: number, loadOf?: LoadOf) {
  const counts: Record<string, number> = {}
  for (let i = 0; i < times; i++) {
    const { id } = of.pick(policy, loadOf)!
    counts[id] = (counts[id] ?? 0) + 1
  }
  return counts
}

describe('a pick', () => {
  it('is undefined where nobody may be picked', () => {
    for (const policy of POLICIES) {
      expect(picker([]).pick(policy)).toBeUndefined()
      const nobody = [node('a', { state: 'starting' }), node('b', { state: 'draining' })]
      expect(picker([...nobody, node('c', { weight: 0 })]).pick(policy)).toBeUndefined()
    }
  })

  it('never falls on a node that starts, drains or has no weight', () => {
    const nodes = [
      node('a'),
      node('b', { state: 'starting' }),
      node('c', { state: 'draining' }),
      node('d', { weight: 0 }),
      node('e', { weight: 3 }),
    ]
    for (const policy of POLICIES) {
      expect(Object.keys(share(picker(nodes), policy, 500)).sort()).toEqual(['a', 'e'])
    }
  })

  it('falls evenly on equal nodes of unknown load, by every policy', () => {
    const nodes = Array.from({ length: 10 }, (_, i) => node(`n${i}`))
    for (const policy of POLICIES) {
      for (const count of Object.values(share(picker(nodes), policy, 10_000))) {
        expect(Math.abs(count - 1000), policy).toBeLessThan(120)
      }
    }
  })

  it('takes turns exactly by roundRobin, and by weight where weights differ', () => {
    const equal = picker([node('a'), node('b'), node('c')])
    expect(Array.from({ length: 6 }, () => equal.pick('roundRobin')!.id).join('')).toBe('abcabc')
    const weighted = picker([node('a', { weight: 1 }), node('b', { weight: 3 })])
    const counts = share(weighted, 'roundRobin', 400)
    expect(Math.abs(counts['a']! - 100)).toBeLessThanOrEqual(2)
    // A light node's turns are spread, not bunched.
    const order = Array.from({ length: 40 }, () => weighted.pick('roundRobin')!.id).join('')
    expect(order).not.toMatch(/aa|bbbbbb/)
  })

  it('falls by weight at random', () => {
    const nodes = [node('a', { weight: 1 }), node('b', { weight: 2 }), node('c', { weight: 5 })]
    const counts = share(picker(nodes), 'random', 8000)
    expect(Math.abs(counts['a']! - 1000)).toBeLessThan(150)
    expect(Math.abs(counts['b']! - 2000)).toBeLessThan(200)
  })

  it('falls on the least load per weight by leastLoaded', () => {
    const loads: Record<string, number> = { a: 4, b: 10, c: 9 }
    const nodes = [node('a'), node('b', { weight: 3 }), node('c', { weight: 2 })]
    expect(picker(nodes).pick('leastLoaded', ({ id }) => loads[id])!.id).toBe('b')
  })

  it('reads the load from the metadata where nobody gives it', () => {
    const nodes = [node('a', { meta: { load: 5 } }), node('b', { meta: { load: 'much' } })]
    expect(share(picker(nodes), 'leastLoaded', 10)).toEqual({ b: 10 })
    expect(share(picker(nodes), 'p2c', 100)).toEqual({ b: 100 })
  })

  it('keeps p2c from the busier of two, and even under its own load', () => {
    const nodes = Array.from({ length: 10 }, (_, i) => node(`n${i}`))
    const inFlight = new Map<string, number>()
    const of = picker(nodes)
    for (let call = 0; call < 1000; call++) {
      const { id } = of.pick('p2c', (each) => inFlight.get(each.id))!
      inFlight.set(id, (inFlight.get(id) ?? 0) + 1)
    }
    const counts = [...inFlight.values()]
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(8)
    // The busiest of all loses every comparison.
    const busiest = share(of, 'p2c', 1000, ({ id }) => (id === 'n3' ? 1000 : 1))
    expect(busiest['n3']).toBeUndefined()
  })

  it('survives weights that make one node nearly everything', () => {
    const nodes = [node('a', { weight: 1e12 }), node('b', { weight: 1e-12 })]
    expect(share(picker(nodes), 'p2c', 100, ({ id }) => (id === 'a' ? 1e30 : 0))).toEqual({
      b: 100,
    })
    for (const policy of POLICIES) expect(picker(nodes).pick(policy)).toBeDefined()
  })

  it('shares among equals by leastLoaded instead of always taking the first', () => {
    expect(share(picker([node('a'), node('b')]), 'leastLoaded', 10)).toEqual({ a: 5, b: 5 })
  })
})
