import { describe, expect, it } from 'vitest'
import type { Outcome } from '../src/index.ts'
import { Fleet, node, nodes, simulate } from './fleet.ts'

/** Ends calls to this node so, and all others well, until the node is picked no more; at most `limit` calls. */
function fail(fleet: Fleet, id: string, outcome: Outcome, limit = 1000): number {
  let failures = 0
  for (let call = 0; call < limit; call += 1) {
    const picked = fleet.balancer.pick('roundRobin')!
    if (picked.id === id) {
      failures += 1
      picked.done(outcome)
    } else picked.done()
  }
  return failures
}

describe('a node that fails', () => {
  it('is left alone after five failures in a row, then tried with one, for twice as long', () => {
    const fleet = new Fleet(nodes(10))
    expect(fail(fleet, 'game_3', { failed: true })).toBe(5)
    expect(fleet.health).toMatchObject([{ kind: 'ejected', node: { id: 'game_3' } }])
    const { forMs } = fleet.health[0]!
    expect(forMs).toBeGreaterThan(8999)
    expect(forMs).toBeLessThan(11_001)
    fleet.now += forMs
    expect(fail(fleet, 'game_3', { failed: true })).toBe(1)
    expect(fleet.health[1]!.forMs / 10_000).toBeCloseTo(2, 0)
    fleet.now += fleet.health[1]!.forMs
    expect(fail(fleet, 'game_3', {})).toBeGreaterThan(10)
    expect(fleet.health[2]).toMatchObject({ kind: 'restored', node: { id: 'game_3' } })
    expect(fleet.balancer.stats()).toMatchObject({ ejections: 2, out: 0 })
  })

  it('is left alone also when only most of its calls fail', () => {
    const fleet = new Fleet(nodes(10))
    let call = 0
    for (let i = 0; i < 2000; i += 1) {
      const picked = fleet.balancer.pick('roundRobin')!
      picked.done({ failed: picked.id === 'game_3' && call++ % 3 > 0 })
    }
    expect(fleet.health).toHaveLength(1)
    expect(call).toBeLessThan(30)
  })

  it('gets less than one in a hundred calls after a second, by every policy', () => {
    const all = Object.fromEntries(nodes(10).map(({ id }) => [id, { workMs: 5, workers: 8 }]))
    for (const policy of ['p2c', 'roundRobin', 'weighted', 'leastLoaded'] as const) {
      const { calls } = simulate({
        fleet: new Fleet(nodes(10)),
        nodes: { ...all, game_0: { workMs: 5, workers: 8, failsFromMs: 2000 } },
        policy,
        callsPerSecond: 500,
        forMs: 30_000,
        fromMs: 3000,
      })
      const total = Object.values(calls).reduce((sum, count) => sum + count, 0)
      expect(calls['game_0']! / total, policy).toBeLessThan(0.01)
    }
  })

  it('is avoided by p2c from its first failure on', () => {
    const fleet = new Fleet(nodes(10), { maxFailures: 1_000_000, maxFailureRate: 1 })
    let failures = 0
    for (let call = 0; call < 5000; call += 1) {
      fleet.now += 1
      const picked = fleet.balancer.pick()!
      const isBad = picked.id === 'game_0'
      picked.done({ latencyMs: isBad ? 0.1 : 10, failed: isBad })
      if (isBad) failures += 1
    }
    expect(failures).toBeLessThan(50)
  })

  it('is joined by no more than the cap allows, whatever fails', () => {
    const fleet = new Fleet(nodes(10), { maxEjectedShare: 0.3 })
    for (let call = 0; call < 5000; call += 1) {
      fleet.balancer.pick('roundRobin')!.done({ failed: true })
    }
    expect(fleet.balancer.stats()).toMatchObject({ ejections: 3, out: 3, isPanicking: false })
  })

  it('is not picked less when nearly all seem to fail: it is something else then', () => {
    const fleet = new Fleet(nodes(4), { maxEjectedShare: 1 })
    for (let call = 0; call < 5000; call += 1) {
      fleet.balancer.pick('roundRobin')!.done({ failed: true })
    }
    expect(fleet.balancer.stats()).toMatchObject({ out: 4, isPanicking: true })
    expect(Object.keys(fleet.share('roundRobin', 40))).toHaveLength(4)
  })
})

describe('a node that cannot be reached', () => {
  const EVERY = ['p2c', 'roundRobin', 'weighted', 'leastLoaded'] as const

  it('is out at once, however many calls find it so, and is tried again a second later', () => {
    const fleet = new Fleet(nodes(3))
    const calls = Array.from({ length: 30 }, () => fleet.balancer.pick('roundRobin')!)
    for (const call of calls) call.done(call.id === 'game_1' ? { unreachable: true } : {})
    expect(fleet.health).toHaveLength(1)
    for (const policy of EVERY) expect(fleet.share(policy, 100)['game_1'], policy).toBeUndefined()
    fleet.now += 1101
    expect(fleet.share('roundRobin', 100)['game_1']).toBeGreaterThan(0)
  })

  it('is back at once when a link to it stands', () => {
    const fleet = new Fleet(nodes(3))
    fleet.balancer.lose('game_1')
    expect(fleet.share('roundRobin', 99)['game_1']).toBeUndefined()
    fleet.balancer.restore('game_1')
    expect(fleet.share('roundRobin', 99)['game_1']).toBe(33)
    expect(fleet.health.map(({ kind }) => kind)).toEqual(['unreachable', 'restored'])
    fleet.balancer.restore('game_1')
    fleet.balancer.lose('nobody')
    expect(fleet.health).toHaveLength(2)
  })

  it('is not picked in panic as long as another can be reached, and all are when none can', () => {
    const fleet = new Fleet(nodes(3))
    fleet.balancer.lose('game_0')
    fleet.balancer.lose('game_1')
    expect(Object.keys(fleet.share('roundRobin', 30))).toEqual(['game_2'])
    fleet.balancer.lose('game_2')
    for (const policy of EVERY) expect(fleet.balancer.pick(policy)).toBeDefined()
  })

  it('starts anew when its process did', () => {
    const fleet = new Fleet(nodes(3), { slowStartMs: 0 })
    fleet.balancer.lose('game_1')
    fleet.balancer.set(node('game_1', { epoch: 'f' }), true)
    expect(fleet.share('roundRobin', 99)['game_1']).toBe(33)
  })
})
