import { expect, test, vi } from 'vitest'
import { eventually } from '../src/index.ts'

test('returns once the check stops throwing', async () => {
  let tries = 0
  await eventually(() => {
    tries += 1
    expect(tries).toBe(4)
  })
  expect(tries).toBe(4)
})

test('waits for a promise of the check and takes false, null, 0 and "" as not yet', async () => {
  const answers = [false, null, 0, '', 'yes']
  await eventually(async () => answers.shift())
  expect(answers).toEqual([])
})

test('fails with the last failure as cause, and what was waited for', async () => {
  const failure = await eventually(
    () => {
      throw new Error('still closed')
    },
    { timeoutMs: 30, message: 'the door' },
  ).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'TESTING_TIMEOUT', cause: new Error('still closed') })
  expect(String(failure)).toMatch(/the door: not after \d+ ms and \d+ tries; last: still closed/)
})

test('fails in time though a check never returns', async () => {
  const never = eventually(() => new Promise(() => {}), { timeoutMs: 20 })
  await expect(never).rejects.toThrow('the last try has not returned')
})

test('says what a check gave that did not hold', async () => {
  await expect(eventually(() => false, { timeoutMs: 10 })).rejects.toThrow('last: it gave false')
})

test('waits in real time under fake timers of the test runner', async () => {
  vi.useFakeTimers()
  try {
    let tries = 0
    await eventually(() => ++tries > 3)
  } finally {
    vi.useRealTimers()
  }
})
