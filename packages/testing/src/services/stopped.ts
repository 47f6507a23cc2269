import { readdirSync, readFileSync } from 'node:fs'
import { now } from '../real-time.ts'

/** A machine so busy that a signal takes longer has other problems. */
const MAX_WAIT_MS = 5_000

/**
 * Waits until SIGSTOP has reached every thread of a process: on a busy machine one may run on for a while, and answer.
 * Where the system does not tell (no `/proc`), it returns at once.
 */
export function waitUntilStopped(pid: number): void {
  const until = now() + MAX_WAIT_MS
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  while (!isStopped(pid) && now() < until) Atomics.wait(nothing, 0, 0, 1)
}

function isStopped(pid: number): boolean {
  try {
    const folder = `/proc/${pid}/task`
    return readdirSync(folder).every((thread) => {
      // The state is the word after the name, which stands in brackets and may hold anything.
      const text = readFileSync(`${folder}/${thread}/stat`, 'latin1')
      return /^[TtZX]/.test(text.slice(text.lastIndexOf(')') + 2))
    })
  } catch {
    // It has ended, or there is no such folder.
    return true
  }
}
