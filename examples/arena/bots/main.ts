// Bots against a running arena: node --conditions=@rts/source bots/main.ts --server http://127.0.0.1:7080 --count 50 --seconds 20
import { parseArgs } from 'node:util'
import { formatReport } from '@rts/bots'
import { judgeBots, playWithBots } from './run.ts'

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: 'http://127.0.0.1:7080' },
    count: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '20' },
  },
})
const report = await playWithBots({
  server: values.server,
  count: Number(values.count),
  durationMs: Number(values.seconds) * 1000,
})
console.log(formatReport(report))
const { passed, misses } = judgeBots(report)
for (const miss of misses) console.log(`missed: ${miss}`)
console.log(passed ? 'passed' : 'failed')
process.exit(passed ? 0 : 1)
