import { openSync, readSync } from 'node:fs'

/** What Linux tells of one thread: nanoseconds on a processor, nanoseconds waiting for one, and how often it got one. */
const FILE = '/proc/thread-self/schedstat'
const buffer = Buffer.alloc(64)

function open(): number | undefined {
  try {
    return openSync(FILE, 'r')
  } catch {
    return undefined
  }
}

/** How many milliseconds this thread had work and no processor to do it on, since it began. Always 0 where the system does not tell. */
export function heldUpMeter(): () => number {
  const file = open()
  if (file === undefined) return () => 0
  return () => {
    const text = buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0))
    return Number(text.split(' ')[1]) / 1e6
  }
}
