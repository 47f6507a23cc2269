// What sessions cost on real sockets, and what a flood does to them.
import { report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { echoCases } from './socket/echo.ts'
import { helloFloodCases, sealedFloodCases } from './socket/floods.ts'
import { busyCases, clientMemoryCases, idleCases } from './socket/sessions.ts'
import { fuzzCases, soakCases } from './socket/soak.ts'
import { tagCases } from './socket/tags.ts'

const rows: BenchRow[] = []
const checks: BenchCheck[] = []
const all = [
  tagCases,
  echoCases,
  idleCases,
  clientMemoryCases,
  busyCases,
  helloFloodCases,
  sealedFloodCases,
  soakCases,
  fuzzCases,
]
for (const cases of all) {
  const result = await cases()
  rows.push(...result.rows)
  checks.push(...result.checks)
}
report('kcp-sockets', rows, checks)
