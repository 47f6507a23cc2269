import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '../../src/index.ts'
import { TcpChaos } from './tcp-chaos.ts'
import type { ChaosResult } from './tally.ts'

export interface SoakOptions {
  readonly durationMs: number
  readonly sampleMs: number
  readonly onSample?: (sample: SoakSample) => void
}

/** What a process holds, garbage collected. */
export interface SoakSample {
  readonly atMs: number
  readonly heapMb: number
  /** Sockets, servers, timers and whatever else keeps a loop busy. */
  readonly resources: number
  readonly calls: number
}

export interface SoakResult {
  readonly chaos: ChaosResult
  readonly samples: readonly SoakSample[]
  /** Per ten minutes, of the base, after the first fifth of the run. */
  readonly heapSlopePercent: number
  readonly isSound: boolean
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Counts what is held. Kept out of the run: the tally of calls is of one size from the start. */
function sample(startedAt: number, calls: number): SoakSample {
  collect()
  collect()
  return {
    atMs: Math.round(systemClock.now() - startedAt),
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    resources: process.getActiveResourcesInfo().length,
    calls,
  }
}

const MAX_CALLS = 4_000_000

/** A fault every 2 to 5 s, and at the end everything as it was. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { durationMs, sampleMs } = options
  const startedAt = systemClock.now()
  const chaos = new TcpChaos({
    seed: 7,
    calls: MAX_CALLS,
    inFlight: 32,
    faultEveryMs: [2000, 5000],
    durationMs,
    pauseMs: 10,
  })
  const before = sample(startedAt, 0)
  const samples: SoakSample[] = []
  let cancel = (): void => {}
  const next = (): void => {
    cancel = systemClock.setTimer(sampleMs, () => {
      const taken = sample(startedAt, chaos.tally.calls)
      samples.push(taken)
      options.onSample?.(taken)
      next()
    })
  }
  next()
  const result = await chaos.run()
  cancel()
  await sleep(3000)
  const after = sample(startedAt, result.calls)
  samples.push(after)
  const steady = samples.filter(({ atMs }) => atMs >= durationMs / 5)
  const slope = slopeOf(steady)
  const heapSlopePercent = ((slope * 600_000) / (steady[0]?.heapMb ?? 1)) * 100
  const { unsettled, settledTwice, wrongReplies } = result
  const isSound =
    unsettled + settledTwice + wrongReplies === 0 &&
    after.resources <= before.resources + 1 &&
    after.heapMb <= before.heapMb * 1.2 + 4
  return { chaos: result, samples: [before, ...samples], heapSlopePercent, isSound }
}

/** Of the straight line through the heap, in MB per millisecond. */
function slopeOf(samples: readonly SoakSample[]): number {
  const count = samples.length
  if (count < 2) return 0
  const meanAt = samples.reduce((sum, { atMs }) => sum + atMs, 0) / count
  const meanHeap = samples.reduce((sum, { heapMb }) => sum + heapMb, 0) / count
  let above = 0
  let below = 0
  for (const { atMs, heapMb } of samples) {
    above += (atMs - meanAt) * (heapMb - meanHeap)
    below += (atMs - meanAt) ** 2
  }
  return below === 0 ? 0 : above / below
}
