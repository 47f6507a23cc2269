// All seeded histories of faults: 1,000 over memory, 50 on a real etcd. The tests run a slice of them.
import { check, report } from '../../../bench.base.ts'
import { etcdHistory } from '../test/histories/etcd-history.ts'
import { memoryHistory, type HistoryFigures } from '../test/histories/memory-history.ts'

/** Runs the seeds from 1, some at a time, and counts those that broke a promise. */
async function runAll(
  count: number,
  atOnce: number,
  history: (seed: number) => Promise<HistoryFigures>,
): Promise<{ failed: number; acts: number; changes: number }> {
  const total = { failed: 0, acts: 0, changes: 0 }
  let next = 1
  const worker = async () => {
    while (next <= count) {
      try {
        const { acts, changes } = await history(next++)
        total.acts += acts
        total.changes += changes
      } catch (error) {
        total.failed++
        console.error(error)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return total
}

const memory = await runAll(1000, 1, memoryHistory)
const etcd = await runAll(50, 5, etcdHistory)
const row = (contender: string, value: number, unit: string) => ({
  case: 'histories of faults',
  contender,
  value,
  unit,
  ratio: 1,
})
report(
  'histories',
  [
    row('1,000 over memory', memory.changes, 'changes'),
    row('1,000 over memory', memory.acts, 'guarded actions'),
    row('50 on etcd', etcd.changes, 'changes'),
    row('50 on etcd', etcd.acts, 'guarded actions'),
  ],
  [
    check('histories over memory that broke a promise', memory.failed, '<= 0'),
    check('histories on etcd that broke a promise', etcd.failed, '<= 0'),
  ],
)
