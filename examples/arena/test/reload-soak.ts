// Run by reload.test.ts in a copy of the arena: 20 bots play while the game's code is reloaded 200 times, every tenth
// edit broken. Prints what it measured as JSON.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeHot } from '../src/hot-code.ts'

const RELOADS = 200
const EVERY_MS = 100
const src = join(import.meta.dirname, '..', 'src')
const reloader = makeHot()
const { Arena } = await import('../src/arena.ts')
const { loadConfig } = await import('../src/config.ts')
const { playWithBots } = await import('../bots/run.ts')

const files = [
  'game/arena-world.ts',
  'game/room.ts',
  'game/pilot.ts',
  'shared/rules.ts',
  'lobby/avatar.ts',
]
const texts = new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))
const BREAKS = [
  '\nexport const broken = {',
  '\nthrow new Error("broken at top level")',
  "\nimport './no-such-file.ts'",
]

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const config = await loadConfig()
const arena = new Arena(
  { ...config, http: { ...config.http, port: 0 }, store: { ...config.store, file: ':memory:' } },
  silent,
  () => reloader.version,
)
await arena.start()
const bots = playWithBots({
  server: arena.loginUrl,
  count: 20,
  durationMs: RELOADS * EVERY_MS + 6000,
})
await sleep(3000)
// Everything runs here: no step of the game can be later than its event loop.
const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()

const result = {
  reloaded: 0,
  refused: 0,
  wrong: [] as string[],
  longestMs: 0,
  applyMs: [] as number[],
}
let heapAtStart = 0
const heap = (): number => {
  loop.disable()
  globalThis.gc!()
  loop.enable()
  return process.memoryUsage().heapUsed
}
for (let n = 1; n <= RELOADS; n += 1) {
  const file = files[n % files.length]!
  const isBroken = n % 10 === 0
  const text = `${texts.get(file)!}\nexport const edit = ${n}\n`
  writeFileSync(join(src, file), isBroken ? text + BREAKS[(n / 10) % BREAKS.length]! : text)
  const report = await (n % 25 === 0 && !isBroken ? reloader.full() : reloader.incremental())
  if (report.ok === isBroken)
    result.wrong.push(`${n} ${file}: ${report.failure?.message ?? 'was accepted'}`)
  if (report.ok) result.reloaded += 1
  else result.refused += 1
  if (isBroken) writeFileSync(join(src, file), text)
  result.applyMs.push(report.applyMs)
  result.longestMs = Math.max(result.longestMs, report.applyMs)
  await sleep(EVERY_MS)
  if (n === 50) heapAtStart = heap()
}
loop.disable()
const tickMs = loop.max / 1e6
const growth = (heap() - heapAtStart) / (RELOADS - 50)
const report = await bots
await arena.stop()
process.stdout.write(
  `\n${JSON.stringify({ ...result, applyMs: undefined, growth, tickMs, tickP99Ms: loop.percentile(99) / 1e6, version: reloader.version, errors: report.errors, finished: report.finished, resumes: report.counters['resumes'] ?? 0 })}\n`,
)
process.exit(0)
