import { setTimeout as sleep } from 'node:timers/promises'
import { RpcNode, systemClock, withCall, type Link, type RpcTable } from '@rts/rpc'
import { bytesInUse } from '../../../../bench.base.ts'
import { TEXT, type Contender, type EchoClient } from './contender.ts'

const CALLS = 1_000_000
const FIRST_DEADLINE_MS = 120_000
const LAST_DEADLINE_MS = 600_000
const IDLE_MS = 4000

class Oracle {
  static readonly rpc = { ask: 'server' } as const satisfies RpcTable<Oracle>
  ask(question: string): string {
    return question
  }
}

/** Takes everything and never answers. */
const silentLink = (): Link => ({
  remote: 'silence',
  bufferedBytes: 0,
  send: () => true,
  close() {},
  onMessage() {},
  onDrain() {},
  onClose() {},
})

class Waiting implements EchoClient {
  echo(text: string): Promise<string> {
    return Promise.resolve(text)
  }

  async probe(name: string): Promise<number> {
    return name === 'heapBytes' ? this.#heapBytes() : idlePercent()
  }

  /** Of one waiting call, its promise included. */
  #heapBytes(): number {
    const node = new RpcNode({ id: 'asker' })
    const oracle = node.attach(silentLink(), { trust: 'server' }).service<typeof Oracle>('oracle')
    // One remote for many calls, as games have it; deadlines all over the wheel.
    const steps = 1000
    const remotes = Array.from({ length: steps }, (_, i) => {
      const spread = ((LAST_DEADLINE_MS - FIRST_DEADLINE_MS) * i) / steps
      return withCall(oracle, { timeoutMs: FIRST_DEADLINE_MS + spread })
    })
    for (const { ask } of remotes) void ask(TEXT)
    const before = bytesInUse()
    const calls = CALLS - steps
    for (let i = 0; i < calls; i++) void remotes[i % steps]!.ask(TEXT)
    if (node.stats().pendingCalls !== CALLS) throw new Error('not all of them wait')
    return (bytesInUse() - before) / calls
  }
}

/** Of one core. */
async function idlePercent(): Promise<number> {
  await sleep(500)
  const start = systemClock.now()
  const before = process.cpuUsage()
  await sleep(IDLE_MS)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 10 / (systemClock.now() - start)
}

/** A million calls that wait. Needs nobody to answer them. */
export const rtsPending: Contender = {
  serve: () => Promise.resolve(''),
  connect: () => Promise.resolve(new Waiting()),
}
