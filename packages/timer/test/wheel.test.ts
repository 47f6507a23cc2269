import { expect, test } from 'vitest'
import { seededRandom } from '@rts/testing'
import { NONE, Wheel } from '../src/wheel.ts'

test('gives every node back at its own tick, over all nine levels', () => {
  const random = seededRandom(7)
  const wheel = new Wheel(4000)
  const deadlines = Array.from({ length: 4000 }, () => Math.floor(2 ** (random.next() * 53)))
  deadlines.forEach((deadline, node) => wheel.insert(node, deadline))
  const seen: number[] = []
  for (let tick = wheel.nextTick(); tick !== Infinity; tick = wheel.nextTick()) {
    wheel.begin()
    for (let node = wheel.take(tick); node !== NONE; node = wheel.take(tick)) {
      expect(deadlines[node]).toBe(tick)
      seen.push(node)
    }
  }
  expect(wheel.count).toBe(0)
  const byDeadline = deadlines.map((_, node) => node).sort((a, b) => deadlines[a]! - deadlines[b]!)
  expect(seen).toEqual(byDeadline)
})

test('keeps the order of nodes of one tick through every cascade', () => {
  const wheel = new Wheel(300)
  const deadline = 64 ** 3 + 5
  for (let node = 0; node < 300; node += 1) {
    while (wheel.nextTick() < node * 870) expect(wheel.take(node * 870)).toBe(NONE)
    wheel.insert(node, deadline)
  }
  const seen: number[] = []
  for (let node = wheel.take(deadline); node !== NONE; node = wheel.take(deadline)) seen.push(node)
  expect(seen).toEqual(Array.from({ length: 300 }, (_, node) => node))
})

test('needs few looks for a far deadline', () => {
  const wheel = new Wheel(1)
  wheel.insert(0, 2 ** 50 + 12_345)
  let looks = 0
  while (wheel.take(wheel.nextTick()) === NONE) looks += 1
  expect(looks).toBeLessThanOrEqual(9)
})
