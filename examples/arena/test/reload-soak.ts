// Run by reload.test.ts in a copy of the arena: 20 bots play while the game's code is reloaded 200 times, every tenth
// edit broken. Prints what it measured as JSON.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeHot } from '../src/hot-code.ts'

const RELOADS = 200
const EVERY_MS = 100
/** Of these the memory is measured alone, after the bots have gone. */
const QUIET_RELOADS = 100
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
}
let heapAtStart = 0
const heap = (): number => {
  loop.disable()
  globalThis.gc!()
  loop.enable()
  return process.memoryUsage().heapUsed
}
/** Edits a file, in turns, and reloads it; of every tenth edit nothing may be taken. */
async function reloadOnce(n: number): Promise<void> {
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
  result.longestMs = Math.max(result.longestMs, report.applyMs)
}

for (let n = 1; n <= RELOADS; n += 1) {
  await reloadOnce(n)
  await sleep(EVERY_MS)
  if (n === 50) heapAtStart = heap()
}
loop.disable()
const tickMs = loop.max / 1e6
const growth = (heap() - heapAtStart) / (RELOADS - 50)
const report = await bots
const counted = { ...result }
/** Code that nothing runs any more is let age by every collection but the last resort. */
const heapWithoutOldCode = (): number => {
  for (let times = 0; times < 2; times += 1)
    globalThis.gc!({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  return process.memoryUsage().heapUsed
}
const quietStart = heapWithoutOldCode()
for (let n = 1; n <= QUIET_RELOADS; n += 1) await reloadOnce(RELOADS + n)
const quietGrowth = (heapWithoutOldCode() - quietStart) / QUIET_RELOADS
const live = await changesWhatRuns()
await arena.stop()
process.stdout.write(
  `\n${JSON.stringify({ ...counted, live, growth, quietGrowth, tickMs, tickP99Ms: loop.percentile(99) / 1e6, version: reloader.version, errors: report.errors, finished: report.finished, resumes: report.counters['resumes'] ?? 0 })}\n`,
)
process.exit(0)

/** One player, two edits: a component's method that is called over the same remote, and a system of the running world. */
async function changesWhatRuns(): Promise<{ called: string[]; stepsAtOnce: number }> {
  const { nodeClient } = await import('@rts/client/node')
  const { systemClock } = await import('@rts/rpc')
  const { ArenaPlayer } = await import('../src/player/arena-player.ts')
  const { login } = await import('../src/player/login.ts')
  const { account, ticket, gates } = await login(arena.loginUrl, '/guest')
  const client = nodeClient({ gates: gates.filter((url) => url.startsWith('tcp:')), ticket })
  const steps: number[] = []
  const player = new ArenaPlayer(client, {
    account,
    clock: systemClock,
    events: { state: ({ step }) => void steps.push(step) },
  })
  await player.start()
  await player.play()
  const items = async (): Promise<string> => JSON.stringify(await player.avatar.bag.list())
  const edit = async (file: string, from: string, to: string): Promise<void> => {
    const text = readFileSync(join(src, file), 'utf8')
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
    writeFileSync(join(src, file), text.replace(from, to))
    const { ok, failure } = await reloader.incremental()
    if (!ok) throw new Error(failure?.message)
  }
  const called = [await items()]
  await edit('lobby/bag.ts', '({ item, count }))', '({ item, count: count * 100 }))')
  called.push(await items())
  await edit(
    'game/arena-world.ts',
    '#steer(dtMs: number): void {',
    '#steer(dtMs: number): void { this.#step += 1000',
  )
  const before = steps.length
  while (steps.length < before + 10) await sleep(10)
  client.close()
  return { called, stepsAtOnce: steps.at(-1)! - steps.at(-2)! }
}
