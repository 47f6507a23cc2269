import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashText } from '../src/hash.ts'
import { rendezvous } from '../src/index.ts'
import { bid, highestBidder, subsetOf } from '../src/rendezvous.ts'
import { Fleet, node, nodes } from './fleet.ts'

const entries = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 40 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc.record({
          id: fc.constant(id),
          hash: fc.constant(hashText(id)),
          share: fc.integer({ min: 1, max: 4 }),
        }),
      ),
    ),
  )

describe('the highest bidder', () => {
  it('is the one that a sort by bids puts first, with weights and without', () => {
    fc.assert(
      fc.property(entries, fc.string(), fc.boolean(), (all, key, isEven) => {
        const given = isEven ? all.map((entry) => ({ ...entry, share: 1 })) : all
        const hash = hashText(key)
        const [first] = [...given].sort((a, b) => bid(hash, b) - bid(hash, a))
        expect(highestBidder(hash, given)!.id).toBe(first!.id)
        const others = given.filter((entry) => entry !== first)
        expect(highestBidder(hash, given, (entry) => entry !== first)?.id).toBe(
          highestBidder(hash, others)?.id,
        )
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('wins by weight', () => {
    const all = [1, 2, 5].map((share, i) => ({ id: i, hash: hashText(`n${i}`), share }))
    const counts = [0, 0, 0]
    for (let key = 0; key < 16_000; key += 1) {
      counts[highestBidder(hashText(`k${key}`), all)!.id]! += 1
    }
    expect(Math.abs(counts[0]! - 2000)).toBeLessThan(250)
    expect(Math.abs(counts[2]! - 10_000)).toBeLessThan(400)
  })
})

describe('a subset', () => {
  it('is the first of a sort by bids, and loses or gains one entry at a time', () => {
    fc.assert(
      fc.property(entries, fc.string(), fc.integer({ min: 1, max: 10 }), (all, client, size) => {
        const hash = hashText(client)
        const subset = subsetOf(hash, all, size)
        const sorted = [...all].sort((a, b) => bid(hash, b) - bid(hash, a)).slice(0, size)
        expect(new Set(subset)).toEqual(new Set(sorted))
        for (const gone of all) {
          const after = subsetOf(
            hash,
            all.filter((entry) => entry !== gone),
            size,
          )
          const joined = after.filter((entry) => !subset.includes(entry))
          expect(joined.length).toBeLessThanOrEqual(subset.includes(gone) ? 1 : 0)
        }
      }),
      { numRuns: 100, seed: 1 },
    )
  })
})

describe('rendezvous', () => {
  it('moves the keys of a node that goes, and no other', () => {
    const owners = (fleet: Fleet) =>
      Array.from({ length: 500 }, (_, i) => fleet.balancer.pick(rendezvous(`k${i}`))!.id)
    const before = owners(new Fleet(nodes(20)))
    const fleet = new Fleet(nodes(20).slice(1))
    for (const [i, id] of owners(fleet).entries()) {
      if (before[i] !== 'game_0') expect(id).toBe(before[i])
    }
    // A new node has its whole share of keys at once: a key cannot start slowly.
    fleet.balancer.set(node('game_0'), true)
    expect(owners(fleet)).toEqual(before)
  })

  it('keeps to a bound, and forgets it where nobody could', () => {
    const fleet = new Fleet(nodes(4))
    const counts: Record<string, number> = {}
    for (let i = 0; i < 100; i += 1) {
      const { id } = fleet.balancer.pick(rendezvous('one', { bound: 1.5 }))!
      counts[id] = (counts[id] ?? 0) + 1
    }
    expect(Math.max(...Object.values(counts))).toBeLessThanOrEqual(38)
    const only = {
      policy: rendezvous('one', { bound: 1.01 }),
      where: ({ id }: { id: string }) => id === 'game_2',
    }
    for (let i = 0; i < 100; i += 1) expect(fleet.balancer.pick(only)!.id).toBe('game_2')
  })
})
