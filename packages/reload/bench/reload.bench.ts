// `pnpm bench reload`: an app of 200 modules, changed while it runs, against a restart of it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { check, interleave, report } from '../../../bench.base.ts'
import { createReloader } from '../src/index.ts'
import { MODULES, moduleText, writeApp } from './generated-app.ts'

const folder = mkdtempSync(join(tmpdir(), 'rts-reload-bench-'))
const app = join(folder, 'app')
writeApp(app)
const reloader = createReloader({ roots: [app], between: (apply) => apply() })
const root = await reloader.import<Record<string, (x: number) => number>>(join(app, 'm0.js'))
const leafIndex = MODULES - 1
const leaf = join(app, `m${leafIndex}.js`)
const { [`Node${leafIndex}`]: Leaf } = await reloader.import<Record<string, new () => object>>(leaf)
const instance = new Leaf!() as { state: number }

let version = 0
/** One leaf changed: everything but looking for changes and rewriting. */
async function incremental(): Promise<number> {
  version += 1
  writeFileSync(leaf, moduleText(leafIndex, version))
  const started = performance.now()
  const { ok, transformMs, files } = await reloader.incremental({ files: [leaf] })
  const elapsed = performance.now() - started - transformMs
  if (!ok || files.length !== 1) throw new Error('the leaf was not reloaded')
  if (instance.state !== leafIndex + version || root['value0']!(1) !== MODULES + version)
    throw new Error('old code after a reload')
  return elapsed
}

async function full(): Promise<number> {
  const started = performance.now()
  const { ok, files, verified } = await reloader.full()
  if (!ok || files.length !== MODULES || verified !== MODULES)
    throw new Error('not all were reloaded')
  return performance.now() - started
}

function restart(): number {
  const started = performance.now()
  execFileSync(process.execPath, [join(app, 'restart.js')])
  return performance.now() - started
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!
async function medianOf(count: number, measure: () => Promise<number>): Promise<number> {
  const values: number[] = []
  for (let n = 0; n < count; n += 1) values.push(await measure())
  return median(values)
}

await medianOf(30, incremental)
await medianOf(3, full)
const reloads = await interleave(
  '200 modules, one leaf changed',
  'ms',
  {
    'process restart': restart,
    'incremental (no watch, no transform)': () => medianOf(20, incremental),
    full: () => medianOf(3, full),
  },
  7,
)

const CALLS = 5_000_000
const callee = (name: string): string => `export function ${name}(x) { return (x * 31 + 7) | 0 }\n`
const caller = (name: string): string => `import { ${name} } from './callee.js'
export function loop(count) { let x = 1; for (let i = 0; i < count; i += 1) x = ${name}(x); return x }\n`
const cold = join(folder, 'cold')
const hot = join(app, 'hot')
for (const place of [cold, hot]) {
  mkdirSync(place)
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(place, 'callee.js'), callee('step'))
  writeFileSync(join(place, 'caller.js'), caller('step'))
}
interface Loop {
  loop(count: number): number
}
const nativeLoop = ((await import(pathToFileURL(join(cold, 'caller.js')).href)) as Loop).loop
const hotLoop = (await reloader.import<Loop & Record<string, unknown>>(join(hot, 'caller.js'))).loop
if (nativeLoop(1000) !== hotLoop(1000)) throw new Error('the loops differ')
const timed = (loop: (count: number) => number): number => {
  loop(100_000)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round += 1) {
    const started = performance.now()
    loop(CALLS)
    best = Math.min(best, performance.now() - started)
  }
  return CALLS / best / 1000
}
const calls = await interleave(
  '5 million calls through an import',
  'M/s',
  { native: () => timed(nativeLoop), hot: () => timed(hotLoop) },
  15,
)

const soakApp = join(folder, 'soak')
writeApp(soakApp)
const soak = JSON.parse(
  execFileSync(process.execPath, [
    '--conditions=@rts/source',
    '--max-old-space-size=64',
    '--expose-gc',
    fileURLToPath(new URL('soak.ts', import.meta.url)),
    soakApp,
  ]).toString(),
) as { growth: number; total: number }
rmSync(folder, { recursive: true })

const [restartRow, incrementalRow, fullRow] = reloads
report(
  'reload',
  [
    ...reloads,
    ...calls,
    {
      case: '10,000 reloads in a 64 MB heap, growth after the first 1,000',
      contender: '@rts/reload',
      value: soak.growth,
      unit: 'B each',
      ratio: 1,
    },
  ],
  [
    check('incremental, ms', incrementalRow!.value, '<= 1'),
    check('restart / incremental', restartRow!.value / incrementalRow!.value, '>= 100'),
    check('full, ms', fullRow!.value, '<= 25'),
    check('restart / full', restartRow!.value / fullRow!.value, '>= 5'),
    check('hot calls / native calls', calls[1]!.ratio, '>= 0.9'),
    check('heap growth, bytes each', Math.max(0, soak.growth), '<= 1024'),
  ],
)
