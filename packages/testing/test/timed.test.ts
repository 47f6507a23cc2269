import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { timed } from '../src/index.ts'

const holdUp = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('gives what the work gives, and how long it took', async () => {
  const { result, elapsedMs, heldUpMs, ownMs } = await timed(async () => {
    await pause(20)
    return 'done'
  })
  expect(result).toBe('done')
  expect(elapsedMs).toBeGreaterThanOrEqual(19)
  expect(ownMs + heldUpMs).toBeCloseTo(elapsedMs, 6)
  expect((await timed(() => 1)).result).toBe(1)
})

test('tells apart what held the event loop up, also at the very end', async () => {
  const { elapsedMs, heldUpMs } = await timed(async () => {
    await pause(10)
    holdUp(100)
    await pause(10)
    holdUp(50)
  })
  expect(elapsedMs).toBeGreaterThanOrEqual(168)
  // At most one beat of each is taken for time of the work's own; the pauses are.
  expect(heldUpMs).toBeGreaterThanOrEqual(139)
  expect(heldUpMs).toBeLessThan(elapsedMs - 5)
})

test('a failure of the work comes through', async () => {
  await expect(timed(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
})
