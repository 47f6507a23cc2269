// The core alone, the links of the latency table and the original on them, a soak and a fuzz run: `pnpm bench kcp.bench.ts`.
import { type BenchCheck, type BenchRow, report } from '../../../bench.base.ts'
import { heapGrowth, throughput } from './core.ts'
import { links } from './links.ts'
import { reportLeftOut } from './original-program.ts'
import { original } from './original.ts'
import { fuzz, soak } from './soak.ts'

const rows: BenchRow[] = []
const checks: BenchCheck[] = []
await throughput(rows, checks)
heapGrowth(rows, checks)
links(rows, checks)
original(checks)
soak(rows, checks)
fuzz(rows, checks)
report('kcp', rows, checks)
reportLeftOut()
