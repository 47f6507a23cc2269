// 10,000 reloads of one leaf under a small heap: `node --max-old-space-size=64 --expose-gc soak.ts FOLDER`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createReloader } from '../src/index.ts'
import { MODULES, moduleText } from './generated-app.ts'

const folder = process.argv[2]!
const reloader = createReloader({ roots: [folder], between: (apply) => apply() })
const app = await reloader.import<Record<string, (x: number) => number>>(join(folder, 'm0.js'))
const leaf = join(folder, `m${MODULES - 1}.js`)
const heap = (): number => {
  for (let round = 0; round < 4; round += 1) globalThis.gc!()
  return process.memoryUsage().heapUsed
}
let first = 0
for (let version = 1; version <= 10_000; version += 1) {
  writeFileSync(leaf, moduleText(MODULES - 1, version))
  const { ok, files } = await reloader.incremental({ files: [leaf] })
  if (!ok || files.length !== 1) throw new Error(`reload ${version} failed`)
  if (version % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  if (version === 1000) first = heap()
}
const growth = (heap() - first) / 9000
process.stdout.write(JSON.stringify({ growth, value: app['value0']!(1), total: heap() }))
