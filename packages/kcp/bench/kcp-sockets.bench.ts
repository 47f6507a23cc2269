// What sessions cost on real sockets, and what a flood does to them.
import { report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { echoCases } from './socket/echo.ts'
import { fuzzCases, soakCases } from './socket/soak.ts'
import { busyCases, floodCases, idleCases } from './socket/sessions.ts'

const rows: BenchRow[] = []
const checks: BenchCheck[] = []
for (const cases of [echoCases, idleCases, busyCases, floodCases, soakCases, fuzzCases]) {
  const result = await cases()
  rows.push(...result.rows)
  checks.push(...result.checks)
}
report('kcp-sockets', rows, checks)
