import { clearTimeout, now, setTimeout } from './real-time.ts'

/** How often is looked whether the event loop is on time. */
const BEAT_MS = 5

/** Lateness that timers have on any machine is time of the work's own. */
const heldUpSince = (dueAt: number): number => {
  const lateMs = now() - dueAt
  return lateMs > BEAT_MS ? lateMs : 0
}

export interface Timed<T> {
  readonly result: T
  /** From the call of the work to its end, in milliseconds. */
  readonly elapsedMs: number
  /** How much of that this process's event loop came late to its timers, in milliseconds. */
  readonly heldUpMs: number
  /** The rest: what the work took where nothing held this process up. */
  readonly ownMs: number
}

/**
 * Measures how long something takes, and beside it how long the event loop of this process stood still meanwhile: because the
 * machine was busy with others, or because this process was. A bound on `ownMs` holds on a busy machine as well.
 */
export async function timed<T>(work: () => T | Promise<T>): Promise<Timed<T>> {
  const startedAt = now()
  let heldUpMs = 0
  let dueAt = startedAt + BEAT_MS
  const beat = (): void => {
    heldUpMs += heldUpSince(dueAt)
    dueAt = now() + BEAT_MS
    timer = setTimeout(beat, BEAT_MS)
  }
  let timer = setTimeout(beat, BEAT_MS)
  try {
    const result = await work()
    heldUpMs += heldUpSince(dueAt)
    const elapsedMs = now() - startedAt
    return { result, elapsedMs, heldUpMs, ownMs: elapsedMs - heldUpMs }
  } finally {
    clearTimeout(timer)
  }
}
