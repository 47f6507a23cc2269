import { systemClock, type Clock } from './clock.ts'
import type { ReloadSummary } from './service.ts'

/** A node as the canary sees it: a remote of its `ReloadService` fits. */
export interface RemoteReload {
  incremental(): Promise<ReloadSummary>
  rollback(): Promise<ReloadSummary>
  health(): Promise<{ version: number; errorRate: number }>
}

export interface CanaryOptions {
  /** How long the first node is watched, in milliseconds, from 0. @defaultValue 30000 */
  readonly watchMs?: number
  /** How often its error rate is asked for meanwhile, in milliseconds, from 1. @defaultValue 1000 */
  readonly sampleMs?: number
  /** The error rate may be this much above what it was before, from 0 to 1. @defaultValue 0.01 */
  readonly tolerance?: number
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

export interface CanaryResult {
  readonly outcome: 'reloaded' | 'nothing-changed' | 'refused' | 'rolled-back'
  /** Names of the nodes that run the new code now. */
  readonly reloaded: readonly string[]
  readonly reason: string
  /** Nodes that could not be returned to the code before, with why. */
  readonly stuck: readonly string[]
}

/**
 * Reloads one node and watches it; when its error rate holds, reloads the rest one by one. A node that fails, or an
 * error rate that rises, returns every node that was reloaded to the code before.
 */
export async function canary(
  nodes: ReadonlyMap<string, RemoteReload>,
  options: CanaryOptions = {},
): Promise<CanaryResult> {
  const {
    watchMs = 30_000,
    sampleMs = 1000,
    tolerance = 0.01,
    signal,
    clock = systemClock,
  } = options
  if (nodes.size === 0) throw new RangeError('a canary needs at least one node')
  if (!(sampleMs >= 1)) throw new RangeError(`sampleMs must be from 1, not ${sampleMs}`)
  const reloaded: string[] = []
  const [[firstName, first]] = [...nodes] as [[string, RemoteReload]]

  const undo = async (
    outcome: 'refused' | 'rolled-back',
    reason: string,
  ): Promise<CanaryResult> => {
    const stuck: string[] = []
    for (const name of reloaded.splice(0).reverse()) {
      try {
        const { failure } = await nodes.get(name)!.rollback()
        if (failure !== null) stuck.push(`${name}: ${failure.message}`)
      } catch (error) {
        stuck.push(`${name}: ${(error as Error).message}`)
      }
    }
    return { outcome, reloaded, reason, stuck }
  }

  try {
    signal?.throwIfAborted()
    const before = await first.health()
    const summary = await first.incremental()
    if (!summary.ok) return await undo('refused', `${firstName}: ${summary.failure!.message}`)
    if (summary.files.length === 0)
      return { outcome: 'nothing-changed', reloaded, reason: 'no file changed', stuck: [] }
    reloaded.push(firstName)
    for (let left = watchMs; left > 0; left -= sampleMs) {
      await pause(clock, Math.min(sampleMs, left), signal)
      const { errorRate } = await first.health()
      if (errorRate > before.errorRate + tolerance)
        return await undo(
          'rolled-back',
          `${firstName}: its error rate rose from ${before.errorRate} to ${errorRate}`,
        )
    }
    for (const [name, node] of nodes) {
      if (name === firstName) continue
      signal?.throwIfAborted()
      const next = await node.incremental()
      if (!next.ok) return await undo('rolled-back', `${name}: ${next.failure!.message}`)
      if (next.files.length > 0) reloaded.push(name)
    }
    return { outcome: 'reloaded', reloaded, reason: 'the error rate held', stuck: [] }
  } catch (error) {
    return await undo('rolled-back', (error as Error).message)
  }
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel()
      reject(signal!.reason as Error)
    }
    const cancel = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted === true) stop()
  })
}
