import { expect, test } from 'vitest'
import { soak } from './soak.ts'

// Half an hour is `packages/rpc/bench/soak.ts`. It needs no service, but a minute beside those that do.

test('a minute with a fault every few seconds leaves nothing behind', async () => {
  const { chaos, samples, isSound } = await soak({ durationMs: 60_000, sampleMs: 10_000 })
  expect(chaos).toMatchObject({ unsettled: 0, settledTwice: 0, wrongReplies: 0 })
  expect(chaos.answered).toBeGreaterThan(1000)
  expect(Object.values(chaos.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(5)
  expect(isSound, JSON.stringify(samples)).toBe(true)
})
