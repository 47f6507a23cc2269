// `pnpm bench reload-edits`: 1,000 random edit sequences against restarts of the same programs. A slice of it is a test.
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SEQUENCES = 1000
/** Sequences of one process: what Node loaded natively for them is freed with it. */
const BATCH = 25
const run = promisify(execFile)
const script = fileURLToPath(new URL('follow-edits.ts', import.meta.url))
const started = performance.now()
const firsts = Array.from({ length: SEQUENCES / BATCH }, (_, index) => index * BATCH + 1)
const sums: Record<string, number> = {}
const failures: string[] = []

async function work(): Promise<void> {
  for (let first = firsts.shift(); first !== undefined; first = firsts.shift()) {
    const args = ['--conditions=@rts/source', script, String(first), String(first + BATCH - 1)]
    const { stdout } = await run(process.execPath, args)
    const batch = JSON.parse(stdout) as { sums: Record<string, number>; failures: string[] }
    for (const [name, count] of Object.entries(batch.sums)) sums[name] = (sums[name] ?? 0) + count
    for (const failure of batch.failures) console.log(failure)
    failures.push(...batch.failures)
  }
}
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work))

const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(
  `${SEQUENCES} sequences, ${sums['edits']} edits: ${sums['refused']} broken ones refused before, ${sums['rolledBack']} rolled back; ` +
    `${sums['processes']} restarts as processes, the rest as threads; ${sums['told']} answers differed and were reported; ` +
    `${failures.length} sequences differed unreported; ${seconds} s`,
)
if (failures.length > 0) process.exitCode = 1
