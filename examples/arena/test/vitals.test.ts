import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { Vitals } from '../src/vitals.ts'

const fault = (): never => {
  throw new TypeError('no such seat')
}
const answer = (): never => {
  throw Object.assign(new Error('the room is full'), { code: 'ROOM_FULL' })
}
const attempt = (vitals: Vitals, name: string, work: () => unknown): void => {
  try {
    vitals.run(name, work)
  } catch {
    // Counted; what is thrown is the caller's.
  }
}

test('the error rate is that of the work that fails most, however much else goes well', () => {
  const vitals = new Vitals(new SteppedClock())
  for (let times = 0; times < 1000; times += 1) vitals.run('input', () => {})
  for (let times = 0; times < 4; times += 1) attempt(vitals, 'step', times === 0 ? fault : () => {})
  expect(vitals.errorRate()).toBe(0.25)
  expect(vitals.calls()).toBe(1004)
  expect(vitals.lastError()).toMatch(/^TypeError: no such seat \(\S*vitals\.test\.ts:\d+\)$/)
})

test('an error with a code is an answer; one without is a fault, in a promise too, and goes on to the caller', async () => {
  const vitals = new Vitals(new SteppedClock())
  expect(() => vitals.run('play', answer)).toThrow('the room is full')
  expect(vitals.errorRate()).toBe(0)
  const failing = vitals.run('play', async () => fault())
  await expect(failing).rejects.toThrow('no such seat')
  expect(vitals.errorRate()).toBe(0.5)
})

test('what failed a while ago counts no more', async () => {
  const clock = new SteppedClock()
  const vitals = new Vitals(clock)
  attempt(vitals, 'step', fault)
  await clock.advance(2500)
  expect(vitals.errorRate()).toBe(1)
  await clock.advance(2500)
  vitals.run('step', () => {})
  expect([vitals.errorRate(), vitals.lastError()]).toEqual([0, undefined])
})
