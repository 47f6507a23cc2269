import { existsSync } from 'node:fs'
import { mkdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../src/index.ts'
import { withLockFolder } from '../src/services/install-lock.ts'

test('runs one at a time, and leaves no lock behind, also after a failure', async () => {
  await using folder = await scratchFolder()
  const lock = join(folder.path, 'lock')
  let running = 0
  let most = 0
  const work = (fails: boolean) => async (): Promise<void> => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    if (fails) throw new Error('on purpose')
  }
  const results = await Promise.allSettled(
    [false, true, false].map((fails) => withLockFolder(lock, work(fails))),
  )
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(most).toBe(1)
  expect(existsSync(lock)).toBe(false)
})

test('takes over a lock whose holder died', async () => {
  await using folder = await scratchFolder()
  const lock = join(folder.path, 'lock')
  await mkdir(lock)
  const longAgo = new Date(Date.now() - 60_000)
  await utimes(lock, longAgo, longAgo)
  expect(await withLockFolder(lock, async () => 'mine')).toBe('mine')
})

test('fails when the lock cannot be made at all', async () => {
  const lock = join('/nonexistent-folder', 'lock')
  await expect(withLockFolder(lock, async () => {})).rejects.toThrow('ENOENT')
})
