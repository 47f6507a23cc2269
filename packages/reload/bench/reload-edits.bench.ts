// `pnpm bench reload-edits`: 1,000 random edit sequences against a fresh load of the same text. A slice of it is a test.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createReloader } from '../src/index.ts'
import { followEdits } from '../test/restart-oracle.ts'

const SEQUENCES = 1000
const started = performance.now()
let edits = 0
for (let seed = 1; seed <= SEQUENCES; seed += 1) {
  const base = mkdtempSync(join(tmpdir(), 'rts-reload-edits-'))
  edits += await followEdits({
    seed,
    modules: 8,
    edits: 6,
    folder: (name) => {
      const folder = join(base, name)
      mkdirSync(folder)
      return folder
    },
    createReloader: (folder) => createReloader({ roots: [folder], detectNative: false }),
  })
  rmSync(base, { recursive: true })
}
const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(
  `${SEQUENCES} sequences, ${edits} edits, no difference that was not reported; ${seconds} s`,
)
