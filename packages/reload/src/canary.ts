import { systemClock, type Clock } from './clock.ts'
import type { ReloadHealth, ReloadSummary } from './service.ts'

/** A node as the canary sees it: a remote of its `ReloadService` fits. */
export interface RemoteReload {
  incremental(): Promise<ReloadSummary>
  rollback(): Promise<ReloadSummary>
  health(): Promise<ReloadHealth>
}

export interface CanaryOptions {
  /** The nodes that are reloaded first and watched, such as one of each role. @defaultValue the first of `nodes` */
  readonly first?: readonly string[]
  /** How long they are watched, in milliseconds, from 0. @defaultValue 30000 */
  readonly watchMs?: number
  /** How often their error rates are asked for meanwhile, in milliseconds, from 1. @defaultValue 1000 */
  readonly sampleMs?: number
  /** An error rate may be this much above what it was before, from 0 to 1. @defaultValue 0.01 */
  readonly tolerance?: number
  /** Told when the first nodes run the new code and are watched. */
  readonly onWatch?: (watched: readonly string[]) => void
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
  /** What each node said of its reload, those included that were returned afterwards. */
  readonly summaries: ReadonlyMap<string, ReloadSummary>
}

/**
 * Reloads the first nodes and watches them; when their error rates hold, reloads the rest one by one. A node that
 * fails, an error rate that rises, or a file that is changed meanwhile returns every node to the code before.
 */
export async function canary(
  nodes: ReadonlyMap<string, RemoteReload>,
  options: CanaryOptions = {},
): Promise<CanaryResult> {
  const {
    first = [...nodes.keys()].slice(0, 1),
    watchMs = 30_000,
    sampleMs = 1000,
    tolerance = 0.01,
    onWatch,
    signal,
    clock = systemClock,
  } = options
  if (nodes.size === 0 || first.length === 0)
    throw new RangeError('a canary needs at least one node')
  const stranger = first.find((name) => !nodes.has(name))
  if (stranger !== undefined) throw new RangeError(`first names ${stranger}, which is no node`)
  if (!(sampleMs >= 1)) throw new RangeError(`sampleMs must be from 1, not ${sampleMs}`)
  const reloaded: string[] = []
  const summaries = new Map<string, ReloadSummary>()
  const hashes = new Map<string, string | undefined>()

  /** @returns Why the node does not run what the first ones run. */
  const reload = async (name: string): Promise<string | undefined> => {
    const summary = await nodes.get(name)!.incremental()
    summaries.set(name, summary)
    if (!summary.ok) return `${name}: ${summary.failure!.message}`
    if (summary.files.length > 0) reloaded.push(name)
    for (const { file, hash } of summary.files) {
      if (hashes.has(file) && hashes.get(file) !== hash)
        return `${name}: ${file} was changed while others were reloaded`
      hashes.set(file, hash)
    }
    return undefined
  }

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
    return { outcome, reloaded, reason, stuck, summaries }
  }

  try {
    const before = new Map<string, number>()
    for (const name of first) {
      signal?.throwIfAborted()
      before.set(name, (await nodes.get(name)!.health()).errorRate)
      const failure = await reload(name)
      if (failure !== undefined) return await undo('refused', failure)
    }
    const watched = [...reloaded]
    if (watched.length === 0) {
      const reason = 'no file changed'
      return { outcome: 'nothing-changed', reloaded, reason, stuck: [], summaries }
    }
    onWatch?.(watched)
    for (let left = watchMs; left > 0; left -= sampleMs) {
      await pause(clock, Math.min(sampleMs, left), signal)
      for (const name of watched) {
        const { errorRate, lastError } = await nodes.get(name)!.health()
        if (errorRate <= before.get(name)! + tolerance) continue
        const rose = `its error rate rose from ${percent(before.get(name)!)} to ${percent(errorRate)}`
        const what = lastError === undefined ? rose : `${rose}: ${lastError}`
        return await undo('rolled-back', `${name}: ${what}`)
      }
    }
    for (const name of nodes.keys()) {
      if (first.includes(name)) continue
      signal?.throwIfAborted()
      const failure = await reload(name)
      if (failure !== undefined) return await undo('rolled-back', failure)
    }
    return { outcome: 'reloaded', reloaded, reason: 'the error rate held', stuck: [], summaries }
  } catch (error) {
    return await undo('rolled-back', (error as Error).message)
  }
}

const percent = (rate: number): string => `${Math.round(rate * 1000) / 10}%`

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
