import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { systemClock, Timers } from '../src/index.ts'

test('by default time is the platform’s: a timer really fires, and not early', async () => {
  using timers = new Timers()
  const start = performance.now()
  const end = await new Promise<number>((resolve) => {
    timers.after(5, () => resolve(performance.now()))
  })
  expect(end - start).toBeGreaterThanOrEqual(5)
  expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(60_000)
  await new Promise<void>((resolve) => systemClock.defer(resolve))
})

const code = (options: string): string => `
  import { Timers } from '@rts/timer'
  const timers = new Timers(${options})
  timers.after(200, () => console.log('fired'))
`

const output = (options: string): string =>
  spawnSync(
    process.execPath,
    ['--conditions=@rts/source', '--input-type=module', '--eval', code(options)],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  ).stdout

test('pending timers keep a Node process alive, unless told not to', () => {
  expect(output('')).toBe('fired\n')
  expect(output('{ unref: true }')).toBe('')
})
