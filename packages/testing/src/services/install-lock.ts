import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** The holder touches its folder this often. */
const TOUCH_INTERVAL_MS = 1_000
/** A folder not touched for this long was left by a process that died. */
const STALE_AFTER_MS = 10_000
const RETRY_INTERVAL_MS = 100

/**
 * Runs `work` while holding a lock folder, so that several processes do it one after the other.
 * A lock whose holder died is taken over after ten seconds.
 *
 * @param path - The folder that is the lock. Its parent exists.
 */
export async function withLockFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!(await tryLock(path))) {
    await pause(RETRY_INTERVAL_MS)
    await breakIfStale(path)
  }
  const touching = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, TOUCH_INTERVAL_MS)
  touching.unref()
  try {
    return await work()
  } finally {
    clearInterval(touching)
    await rm(path, { recursive: true, force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function breakIfStale(path: string): Promise<void> {
  if (!(await isStale(path))) return
  // Only one of those who see it stale can rename it; the others find it gone.
  const aside = `${path}.stale-${process.pid}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  // Between the look and the rename another may have broken it and locked anew: give that one back.
  if (await isStale(aside)) await rm(aside, { recursive: true, force: true })
  else await rename(aside, path).catch(() => {})
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path)
    return Date.now() - mtimeMs > STALE_AFTER_MS
  } catch {
    return false
  }
}
