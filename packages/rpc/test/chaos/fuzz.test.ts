import { expect, test } from 'vitest'
import { fuzzFrames } from './fuzz.ts'

// A hundred million is `pnpm bench rpc-fuzz`.

test('a million fuzzed bytes of frames of every kind: nothing reached, nothing left, a code for each close', async () => {
  const result = await fuzzFrames(1, 1_000_000)
  expect(result).toMatchObject({ reached: 0, pollution: [], left: 0 })
  for (const code of result.codes) expect([4400, 4413]).toContain(code)
})
