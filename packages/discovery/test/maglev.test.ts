import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashText } from '../src/hash.ts'
import { consistent } from '../src/index.ts'
import { MAGLEV_SLOTS, maglevSlot, maglevTable, type MaglevEntry } from '../src/maglev.ts'
import { Fleet, node, nodes } from './fleet.ts'

const entries = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 30 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc.record({ id: fc.constant(id), weight: fc.integer({ min: 1, max: 5 }) }),
      ),
    ),
  )

/** The paper's pseudocode, with whole permutations; heavier entries take a turn in more rounds. */
function naiveTable(all: readonly MaglevEntry[]): string[] {
  const sorted = [...all].sort((a, b) => (a.id < b.id ? -1 : 1))
  const heaviest = Math.max(...sorted.map(({ weight }) => weight))
  const table = Array.from<string | undefined>({ length: MAGLEV_SLOTS })
  const state = sorted.map(({ id, weight }) => ({
    id,
    share: weight / heaviest,
    credit: 0,
    offset: hashText(id, 1) % MAGLEV_SLOTS,
    skip: (hashText(id, 2) % (MAGLEV_SLOTS - 1)) + 1,
    next: 0,
  }))
  for (let filled = 0; ;) {
    for (const entry of state) {
      entry.credit += entry.share
      if (entry.credit < 1) continue
      entry.credit -= 1
      let slot: number
      do slot = (entry.offset + entry.next++ * entry.skip) % MAGLEV_SLOTS
      while (table[slot] !== undefined)
      table[slot] = entry.id
      filled += 1
      if (filled === MAGLEV_SLOTS) return table as string[]
    }
  }
}

describe('the table of Maglev', () => {
  it('is that of the paper, whatever the order of the nodes', () => {
    fc.assert(
      fc.property(entries, fc.boolean(), (all, isReversed) => {
        const given = isReversed ? [...all].reverse() : all
        const naive = naiveTable(all)
        const table = maglevTable(given)
        let differ = 0
        for (let slot = 0; slot < MAGLEV_SLOTS; slot += 1) {
          if (given[table[slot]!]!.id !== naive[slot]) differ += 1
        }
        expect(differ).toBe(0)
      }),
      { numRuns: 15, seed: 1 },
    )
  })

  it('gives each node its share to within one slot in a thousand', () => {
    const all = [1, 1, 2, 4, 8].map((weight, i) => ({ id: `n${i}`, weight }))
    const counts = [0, 0, 0, 0, 0]
    for (const index of maglevTable(all)) counts[index]! += 1
    for (const [i, { weight }] of all.entries()) {
      expect(Math.abs(counts[i]! / MAGLEV_SLOTS - weight / 16)).toBeLessThan(0.001)
    }
  })

  it('moves few keys of others when a node goes', () => {
    for (const count of [3, 30, 300]) {
      const all = nodes(count).map(({ id }) => ({ id, weight: 1 }))
      const before = maglevTable(all)
      const left = all.slice(1)
      const after = maglevTable(left)
      let moved = 0
      for (let slot = 0; slot < MAGLEV_SLOTS; slot += 1) {
        if (all[before[slot]!]!.id !== left[after[slot]!]!.id) moved += 1
      }
      expect(moved / MAGLEV_SLOTS - 1 / count).toBeLessThan(0.02)
    }
  })

  it('has a slot for every hash', () => {
    for (const hash of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      expect(maglevSlot(hash)).toBeGreaterThanOrEqual(0)
      expect(maglevSlot(hash)).toBeLessThan(MAGLEV_SLOTS)
    }
    expect(maglevTable([])[0]).toBe(0)
    expect(maglevTable([{ id: 'a', weight: 1 }])[9]).toBe(0)
  })
})

describe('consistent', () => {
  const owners = (fleet: Fleet, count = 1000) =>
    Array.from({ length: count }, (_, i) => {
      const picked = fleet.balancer.pick(consistent(`player/${i}`))!
      picked.done()
      return picked.id
    })

  it('gives a key to the same node in every process, whatever came first', () => {
    expect(owners(new Fleet(nodes(50), {}, { seed: 1 }))).toEqual(
      owners(new Fleet(nodes(50).reverse(), {}, { seed: 2 })),
    )
  })

  it('moves only the keys of a node that is left alone, and gives them back', () => {
    const fleet = new Fleet(nodes(10))
    const before = owners(fleet)
    fleet.balancer.lose('game_4')
    for (const [i, id] of owners(fleet).entries()) {
      if (before[i] === 'game_4') expect(id).not.toBe('game_4')
      else expect(id).toBe(before[i])
    }
    fleet.balancer.restore('game_4')
    expect(owners(fleet)).toEqual(before)
  })

  it('leads past a node that has gone at once, and to a new one after the turn', () => {
    const fleet = new Fleet(nodes(10))
    owners(fleet)
    fleet.balancer.remove('game_4')
    fleet.balancer.set(node('new'), true)
    const during = owners(fleet)
    expect(during).not.toContain('game_4')
    expect(during).not.toContain('new')
    fleet.turn()
    expect(fleet.deferred).toEqual([])
    const after = owners(fleet)
    expect(after.filter((id) => id === 'new').length).toBeGreaterThan(60)
    fleet.turn()
    expect(
      owners(new Fleet([...nodes(10).filter(({ id }) => id !== 'game_4'), node('new')])),
    ).toEqual(after)
  })

  it('keeps every node under the bound of calls in flight, with many keys or with one', () => {
    for (const key of [(i: number) => `k${i}`, () => 'one']) {
      const fleet = new Fleet(nodes(10))
      const counts: Record<string, number> = {}
      for (let i = 0; i < 1000; i += 1) {
        const { id } = fleet.balancer.pick(consistent(key(i), { bound: 1.25 }))!
        counts[id] = (counts[id] ?? 0) + 1
        expect(counts[id]).toBeLessThanOrEqual(Math.ceil((1.25 * (i + 1)) / 10))
      }
      expect(Math.max(...Object.values(counts))).toBeLessThanOrEqual(125)
    }
  })
})
