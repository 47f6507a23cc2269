// `node --conditions=@rts/source --expose-gc packages/rpc/bench/soak.ts [--minutes 30]`: calls to a real process with a fault every 2 to 5 s.
// Heap, handles, timers and what waits return to their base.
import { parseArgs } from 'node:util'
import { soak } from '../test/chaos/soak.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const result = await soak({
  durationMs: Number(values.minutes) * 60_000,
  sampleMs: 60_000,
  onSample: (sample) => console.log(sample),
})
console.log(result)
process.exit(result.isSound ? 0 : 1)
