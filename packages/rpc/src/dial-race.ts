import type { Clock } from './clock.ts'
import type { RpcPeer } from './peer.ts'

/** Dials once; one of the two is called later, or none after the returned undo. */
export type Dial = (
  url: string,
  reached: (peer: RpcPeer) => void,
  failed: (error: Error) => void,
) => () => void

/** How long an address is alone before the next one is tried beside it (RFC 8305 recommends 250 ms). */
const HEAD_START_MS = 250

/**
 * Dials several addresses of one node: the next one when the one before fails, or after a head start; the first that
 * is reached wins, the others are given up. Fails with what the first address failed with.
 */
export function raceDials(
  urls: readonly string[],
  clock: Clock,
  dial: Dial,
  reached: (peer: RpcPeer) => void,
  failed: (error: Error) => void,
): () => void {
  const running = new Set<() => void>()
  let next = 0
  let firstError: Error | undefined
  let isOver = false
  let cancelTimer = (): void => {}
  const end = (): void => {
    isOver = true
    cancelTimer()
    for (const abandon of running) abandon()
  }
  const start = (): void => {
    cancelTimer()
    const url = urls[next]
    if (isOver || url === undefined) return
    next += 1
    const abandon = dial(
      url,
      (peer) => {
        running.delete(abandon)
        if (isOver) return
        end()
        reached(peer)
      },
      (error) => {
        running.delete(abandon)
        if (isOver) return
        firstError ??= error
        if (next < urls.length) start()
        else if (running.size === 0) {
          end()
          failed(firstError)
        }
      },
    )
    running.add(abandon)
    if (next < urls.length) cancelTimer = clock.setTimer(HEAD_START_MS, start)
  }
  start()
  return end
}
