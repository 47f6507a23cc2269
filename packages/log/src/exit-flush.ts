type Flush = () => void

const waiting = new Set<Flush>()

/**
 * Calls `flush` when the process exits: by itself, by `process.exit` or by an uncaught error. One
 * listener serves all logs of the process.
 *
 * @returns The undo.
 */
export function flushAtExit(flush: Flush): () => void {
  if (waiting.size === 0) process.on('exit', flushAll)
  waiting.add(flush)
  return () => {
    if (waiting.delete(flush) && waiting.size === 0) process.off('exit', flushAll)
  }
}

function flushAll(): void {
  for (const flush of waiting) flush()
}
