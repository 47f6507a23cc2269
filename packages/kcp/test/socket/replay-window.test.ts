import { seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { REPLAY_WINDOW, ReplayWindow } from '../../src/socket/replay-window.ts'

test('takes every counter once, in any order within the window', () => {
  const random = seededRandom(1)
  const window = new ReplayWindow()
  const taken = new Set<number>()
  let newest = 0
  let wrong = 0
  for (let step = 0; step < 200_000; step += 1) {
    newest += random.chance(0.01) ? random.int(2000) : random.int(3)
    const counter = Math.max(0, newest - random.int(random.chance(0.1) ? 1000 : 40))
    const isFresh = window.isFresh(counter)
    if (taken.has(counter) && isFresh) wrong += 1
    if (!taken.has(counter) && !isFresh && counter > window.highest - (REPLAY_WINDOW - 32))
      wrong += 1
    if (!isFresh) continue
    window.mark(counter)
    taken.add(counter)
  }
  expect(wrong).toBe(0)
  expect(taken.size).toBeGreaterThan(100_000)
})

test('works near the end of 48 bits', () => {
  const window = new ReplayWindow()
  const last = 2 ** 48 - 1
  window.mark(last - 100)
  window.mark(last)
  expect(
    [last, last - 100, last - 1, last - 600].map((counter) => window.isFresh(counter)),
  ).toEqual([false, false, true, false])
})
