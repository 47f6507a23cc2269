import { describe, expect, it } from 'vitest'
import { consistent, rendezvous } from '../src/index.ts'
import { Fleet, node, nodes } from './fleet.ts'

describe('an explanation', () => {
  it('foretells the next pick, by every policy, and changes nothing', () => {
    const fleet = new Fleet(nodes(20))
    const policies = [
      'p2c',
      'roundRobin',
      'weighted',
      'leastLoaded',
      consistent('k'),
      rendezvous('k'),
    ]
    for (let round = 0; round < 50; round += 1) {
      for (const policy of policies as ('p2c' | 'weighted')[]) {
        const { picked } = fleet.balancer.explain({ policy })
        expect(fleet.balancer.explain(policy).picked).toBe(picked)
        expect(fleet.balancer.pick(policy)!.id).toBe(picked)
        fleet.now += 40
      }
    }
  })

  it('names what kept each node out', () => {
    const fleet = new Fleet(
      [
        node('a', { zone: 'z', version: '1' }),
        node('b', { state: 'starting' }),
        node('c', { state: 'draining' }),
        node('d', { weight: 0 }),
        node('e', { version: '2' }),
        node('f', { version: '1' }),
        node('g', { zone: 'z', version: '1' }),
        node('h', { zone: 'z', version: '1' }),
        node('i', { zone: 'z', version: '1' }),
        node('j', { zone: 'z', version: '1' }),
      ],
      { zone: 'z', maxFailures: 1 },
    )
    fleet.balancer.lose('g')
    let picked = fleet.balancer.pick('roundRobin')!
    while (picked.id !== 'h') picked = fleet.balancer.pick('roundRobin')!
    picked.done({ failed: true })
    const { nodes: seen, zoneShare } = fleet.balancer.explain({
      version: '1',
      where: ({ id }) => id !== 'i',
    })
    expect(Object.fromEntries(seen.map(({ id, out }) => [id, out]))).toEqual({
      a: undefined,
      b: 'starting',
      c: 'draining',
      d: 'weight',
      e: 'version',
      f: undefined,
      g: 'unreachable',
      h: 'ejected',
      i: 'where',
      j: undefined,
    })
    expect(zoneShare).toBeCloseTo(0.7)
  })

  it('tells what was compared, and in words why the one won', () => {
    const fleet = new Fleet([node('a'), node('b')])
    fleet.share('roundRobin', 4)
    fleet.balancer.tell('a', { pressure: 0.5, sessions: 12 })
    const busy = fleet.balancer.pick({ where: ({ id }) => id === 'a' })!
    fleet.now += 100
    const told = fleet.balancer.explain()
    expect(told).toMatchObject({
      picked: 'b',
      policy: 'p2c',
      reason: 'costs no more than a, the other of two drawn',
      isPanicking: false,
      zoneShare: 1,
      nodes: [
        {
          id: 'a',
          isDrawn: true,
          inFlight: 1,
          load: { pressure: 0.5, sessions: 12 },
          loadAgeMs: 100,
        },
        { id: 'b', isDrawn: true, inFlight: 0, load: undefined, cost: 1 },
      ],
    })
    expect(told.nodes[0]!.cost).toBeCloseTo(4)
    busy.done()
    expect(new Fleet([]).balancer.explain()).toMatchObject({
      picked: undefined,
      reason: 'no node may be picked',
    })
  })
})
