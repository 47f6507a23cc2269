import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@rts/rpc'
import { TEXT, type EchoClient } from './contender.ts'

const RAMP_MS = 30

/** What workers share: whether to go on, and what they have done. */
export class Load {
  isOver = false
  calls = 0
  readonly #gapsMs: number[] | undefined
  #lastAt = systemClock.now()

  constructor(isTimed: boolean) {
    this.#gapsMs = isTimed ? [] : undefined
  }

  /** So many calls have ended. With one worker the time since the last one is how long a call took. */
  done(calls: number): void {
    this.calls += calls
    if (this.#gapsMs === undefined) return
    const now = systemClock.now()
    this.#gapsMs.push(now - this.#lastAt)
    this.#lastAt = now
  }

  sortedMs(): number[] {
    return (this.#gapsMs ?? []).sort((a, b) => a - b)
  }
}

/** Calls per second with so many workers. */
export async function throughput(
  client: EchoClient,
  workers: number,
  forMs: number,
): Promise<number> {
  const load = new Load(false)
  const working = Promise.all(Array.from({ length: workers }, () => work(client, load)))
  const measuring = measure(load, forMs)
  await Promise.race([working, measuring])
  const rate = await measuring
  load.isOver = true
  await working
  return rate
}

async function measure(load: Load, forMs: number): Promise<number> {
  await sleep(RAMP_MS)
  const start = systemClock.now()
  const before = load.calls
  await sleep(forMs)
  const calls = load.calls - before
  return (calls * 1000) / (systemClock.now() - start)
}

/** Microseconds that single calls took, one after the other. */
export async function latency(
  client: EchoClient,
  forMs: number,
): Promise<{ p50: number; p99: number }> {
  const load = new Load(true)
  const working = work(client, load)
  await Promise.race([working, sleep(forMs)])
  load.isOver = true
  await working
  const times = load.sortedMs()
  return { p50: quantile(times, 0.5) * 1000, p99: quantile(times, 0.99) * 1000 }
}

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

function work(client: EchoClient, load: Load): Promise<void> {
  return client.work === undefined ? callByCall(client, load) : client.work(load)
}

async function callByCall(client: EchoClient, load: Load): Promise<void> {
  while (!load.isOver) {
    const answer = await client.echo(TEXT)
    if (answer.length !== TEXT.length) throw new Error(`a wrong answer: ${answer}`)
    load.done(1)
  }
}
