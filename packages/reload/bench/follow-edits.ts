// Follows the edit sequences whose seeds it is given and prints what it did: `node follow-edits.ts FIRST LAST`.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createReloader } from '../src/index.ts'
import { type Followed, RestartOracle } from '../test/restart-oracle.ts'

const [first, last] = process.argv.slice(2).map(Number) as [number, number]
const sums: Followed = { edits: 0, refused: 0, rolledBack: 0, processes: 0, told: 0 }
const failures: string[] = []
for (let seed = first; seed <= last; seed += 1) {
  const base = mkdtempSync(join(tmpdir(), 'rts-reload-edits-'))
  const folder = join(base, 'app')
  mkdirSync(folder)
  const oracle = new RestartOracle({
    seed,
    modules: 8,
    edits: 6,
    processFrom: 5,
    folder,
    createReloader: (root) => createReloader({ roots: [root], detectNative: false }),
  })
  try {
    const followed = await oracle.follow()
    for (const name of Object.keys(sums) as (keyof Followed)[]) sums[name] += followed[name]
  } catch (error) {
    failures.push((error as Error).message.split('\n').slice(0, 12).join('\n'))
  }
  rmSync(base, { recursive: true })
}
process.stdout.write(JSON.stringify({ sums, failures }))
process.exit()
