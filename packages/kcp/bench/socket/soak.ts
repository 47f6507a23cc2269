// The long versions of what the tests do for a moment: messages over bad lines, and mutated datagrams.
import { bytesInUse, check, type BenchCheck, type BenchRow } from '../../../../bench.base.ts'
import { stateOf } from '../../test/support/fuzz.ts'
import { mutate, record, withCores } from '../../test/support/mutations.ts'
import { soak } from '../../test/support/soak.ts'
import { pair, read } from '../../test/support/virtual-network.ts'

const SEEDS = 20
const MESSAGES_EACH_WAY = 25_000
const MUTATIONS = 10_000_000

const row = (name: string, value: number, unit: string): BenchRow => ({
  case: name,
  contender: 'session',
  value,
  unit,
  ratio: 1,
})

export async function soakCases(): Promise<{ rows: BenchRow[]; checks: BenchCheck[] }> {
  let wrong = 0
  let migrations = 0
  const began = performance.now()
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const ends = await pair({ seed })
    const { network, listener } = ends
    const faults = { loss: 0.1, duplicate: 0.05, corrupt: 0.03, delayMs: 10, jitterMs: 20 }
    Object.assign(network.faults, faults)
    const rebind = (): void => {
      network.rebind('10.0.9.1')
      network.clock.setTimer(5000, rebind)
    }
    network.clock.setTimer(1000, rebind)
    wrong += await soak(ends, MESSAGES_EACH_WAY, seed)
    migrations += listener.counters().migrations
  }
  const messages = 2 * SEEDS * MESSAGES_EACH_WAY
  const name = `${messages} messages: 10 % lost, doubled, reordered, corrupted, ${SEEDS} seeds`
  return {
    rows: [
      row(name, (performance.now() - began) / 1000, 's'),
      row(`${name}: moves of the client`, migrations, ''),
    ],
    checks: [
      check(`${name}: wrong, missing or doubled`, wrong, '<= 0'),
      check(`${name}: moves of the client`, migrations, '>= 20'),
    ],
  }
}

export async function fuzzCases(): Promise<{ rows: BenchRow[]; checks: BenchCheck[] }> {
  const ends = await pair({ far: { maxRetriesPerSecond: 1000 } })
  const { near, far, listener } = ends
  let heard = 0
  read(far)
  const [corpus, cores] = withCores(() => record(ends))
  // Messages and unreliable ones alike.
  far.onMessage = () => (heard += 1)
  mutate(listener, corpus, far.remotePort, 100_000)
  const state = (): string => JSON.stringify([cores.map(stateOf), near.stats(), far.stats()])
  const stateBefore = state()
  const before = bytesInUse()
  const began = performance.now()
  mutate(listener, corpus, far.remotePort, MUTATIONS)
  const seconds = (performance.now() - began) / 1000
  const growth = Math.max(0, bytesInUse() - before)
  const { closed, migrations, opened } = listener.counters()
  const changes = closed + migrations + heard + opened - 1 + Number(state() !== stateBefore)
  const name = `${MUTATIONS} mutated datagrams`
  return {
    rows: [row(name, seconds, 's'), row(`${name}: growth`, growth / 1024, 'KiB')],
    checks: [
      check(`${name}: growth, KiB, also outside the heap`, growth / 1024, '<= 1024'),
      check(`${name}: changes of state`, changes, '<= 0'),
    ],
  }
}
