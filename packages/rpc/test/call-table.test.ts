import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CallTable } from '../src/call-table.ts'

interface Call {
  readonly id: number
}

test('keeps calls by their ids as a map would, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 600 }), (steps) => {
      const table = new CallTable<Call>()
      const model = new Map<number, Call>()
      for (const step of steps) {
        const ids = [...model.keys()]
        const id = ids[(step * 7) % (ids.length || 1)]
        if (step < 6 || id === undefined) {
          const call = { id: table.nextId(undefined) }
          expect(model.has(call.id)).toBe(false)
          table.add(call)
          model.set(call.id, call)
        } else {
          expect(table.get(id)).toBe(model.get(id))
          expect(table.delete(model.get(id)!)).toBe(true)
          expect(table.delete(model.get(id)!)).toBe(false)
          expect(table.get(id)).toBeUndefined()
          model.delete(id)
        }
        expect(table.size).toBe(model.size)
      }
      expect(table.values()).toEqual([...model.values()].sort((a, b) => a.id - b.id))
    }),
    { numRuns: 200, seed: 31 },
  )
})

test('ids go up by one, and an answer to an old one finds nothing', () => {
  const table = new CallTable<Call>()
  for (let id = 1; id <= 1000; id++) {
    const call = { id: table.nextId(undefined) }
    expect(call.id).toBe(id)
    table.add(call)
    expect(table.get(id)).toBe(call)
    table.delete(call)
  }
  // The same places as 1000.
  for (const id of [1000, 1000 - 64, 1000 + 64, 0, 0xffffffff])
    expect(table.get(id)).toBeUndefined()
})

test('an id that is in use elsewhere is passed over', () => {
  const table = new CallTable<Call>()
  expect(table.nextId((id) => id < 5)).toBe(5)
})

test('a million calls that wait are found again', () => {
  const table = new CallTable<Call>()
  const calls = Array.from({ length: 1_000_000 }, () => {
    const call = { id: table.nextId(undefined) }
    table.add(call)
    return call
  })
  expect(calls.every((call) => table.get(call.id) === call)).toBe(true)
  expect(calls.at(-1)!.id).toBe(1_000_000)
})
