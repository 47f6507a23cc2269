import { expect, test } from 'vitest'
import { CrashableClock, SteppedClock } from '../src/index.ts'

test('tells the time of the clock beneath and runs what it schedules, until it crashes', async () => {
  const beneath = new SteppedClock({ startMs: 5, wallMs: 1_000 })
  const clock = new CrashableClock(beneath)
  const log: string[] = []
  clock.setTimer(10, () => log.push('before'))
  clock.setTimer(10, () => log.push('cancelled'))()
  clock.setTimer(30, () => log.push('never'))
  await beneath.advance(20)
  expect([clock.now(), clock.wall()]).toEqual([25, 1_020])

  clock.defer(() => log.push('never'))
  clock.crash()
  clock.defer(() => log.push('never'))
  clock.setTimer(1, () => log.push('never'))
  await beneath.advance(100)
  expect(log).toEqual(['before'])
  expect(beneath.pending).toBe(0)
})

test('a crash leaves the others on the same clock alone', async () => {
  const beneath = new SteppedClock()
  const [one, other] = [new CrashableClock(beneath), new CrashableClock(beneath)]
  const log: string[] = []
  one.setTimer(1, () => log.push('one'))
  other.setTimer(1, () => log.push('other'))
  one.crash()
  await beneath.advance(1)
  expect(log).toEqual(['other'])
})
