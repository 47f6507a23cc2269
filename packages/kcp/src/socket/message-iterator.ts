import type { KcpSession } from './session.ts'

/** Messages held before the session is paused. */
const HIGH_WATER = 64

type Result = IteratorResult<Uint8Array<ArrayBuffer>, undefined>

/** The messages of a session, pulled. Leaving the loop closes the session. */
export function messagesOf(session: KcpSession): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
  const queue: Uint8Array<ArrayBuffer>[] = []
  const waiting: PromiseWithResolvers<Result>[] = []
  let isLeft = false
  const settleEnd = (next: PromiseWithResolvers<Result>): void => {
    const error = session.closeInfo?.error
    if (error === undefined || isLeft) next.resolve({ value: undefined, done: true })
    else {
      isLeft = true
      next.reject(error)
    }
  }
  const undo = [
    session.on('message', (bytes) => {
      const next = waiting.shift()
      if (next !== undefined) next.resolve({ value: bytes, done: false })
      else if (queue.push(bytes) >= HIGH_WATER) session.pause()
    }),
    session.on('close', () => {
      for (const next of waiting.splice(0)) settleEnd(next)
    }),
  ]
  return {
    next() {
      const next = Promise.withResolvers<Result>()
      const message = queue.shift()
      if (message !== undefined) {
        if (queue.length === 0) session.resume()
        next.resolve({ value: message, done: false })
      } else if (isLeft || session.closeInfo !== undefined) settleEnd(next)
      else waiting.push(next)
      return next.promise
    },
    return() {
      isLeft = true
      for (const each of undo) each()
      queue.length = 0
      for (const next of waiting.splice(0)) settleEnd(next)
      void session.close()
      return Promise.resolve({ value: undefined, done: true })
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
