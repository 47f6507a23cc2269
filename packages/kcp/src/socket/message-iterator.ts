import type { KcpSession } from './session.ts'

/** Messages held before the session is paused. */
const HIGH_WATER = 64

/** The messages of a session, pulled. Leaving the loop closes the session. */
export async function* messagesOf(session: KcpSession): AsyncIterableIterator<Uint8Array> {
  const queue: Uint8Array[] = []
  let wake: (() => void) | undefined
  const undo = [
    session.on('message', (bytes) => {
      if (queue.push(bytes) >= HIGH_WATER) session.pause()
      wake?.()
    }),
    session.on('close', () => wake?.()),
  ]
  try {
    for (;;) {
      while (queue.length > 0) {
        const message = queue.shift()!
        if (queue.length === 0) session.resume()
        yield message
      }
      const info = session.closeInfo
      if (info !== undefined) {
        if (info.error !== undefined && info.error.code !== 'KCP_CLOSED') throw info.error
        return
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
    }
  } finally {
    for (const each of undo) each()
    void session.close()
  }
}
