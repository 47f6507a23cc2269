import { expect, test } from 'vitest'
import { soak } from './soak.ts'

// Half an hour is `packages/rpc/bench/soak.ts`. It needs no service, but its time beside those that do.

test('half a minute with a fault every second or two leaves nothing behind', async () => {
  const { chaos, samples, isSound } = await soak({
    durationMs: 30_000,
    sampleMs: 5_000,
    faultEveryMs: [500, 2000],
  })
  expect(chaos).toMatchObject({ unsettled: 0, settledTwice: 0, wrongReplies: 0 })
  expect(chaos.answered).toBeGreaterThan(1000)
  expect(Object.values(chaos.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(5)
  expect(isSound, JSON.stringify(samples)).toBe(true)
})
