// Bots against a running arena: node --conditions=@rts/source bots/main.ts --server http://127.0.0.1:7080 --count 50 --seconds 20 --transport kcp
import { parseArgs } from 'node:util'
import { formatReport } from '@rts/bots'
import { judgeBots, playWithBots } from './run.ts'

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: 'http://127.0.0.1:7080' },
    count: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '20' },
    transport: { type: 'string', default: 'tcp' },
  },
})
const { transport } = values
if (transport !== 'tcp' && transport !== 'kcp' && transport !== 'ws')
  throw new RangeError(`--transport is tcp, kcp or ws, not ${transport}`)
const report = await playWithBots({
  server: values.server,
  count: Number(values.count),
  durationMs: Number(values.seconds) * 1000,
  transport,
})
console.log(formatReport(report))
const { passed, misses } = judgeBots(report)
for (const miss of misses) console.log(`missed: ${miss}`)
console.log(passed ? 'passed' : 'failed')
process.exit(passed ? 0 : 1)
