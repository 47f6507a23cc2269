import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { scratchFolder } from '@rts/testing'
import { expect, test } from 'vitest'

const PROGRAM = (source: string): string => `
import { createReloader } from ${JSON.stringify(source)}
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
const reloader = createReloader({ roots: [join(import.meta.dirname, 'hot')], detectNative: false })
const rules = await import('./hot/rule.ts')
const parsers = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('oxc-parser'))
const first = rules.rule()
writeFileSync(join(import.meta.dirname, 'hot/rule.ts'), 'export const rule = (): number => 2')
const { ok } = await reloader.incremental()
reloader.close()
console.log(JSON.stringify({ first, parsed: parsers.length > 0, ok, then: rules.rule() }))
`

test('with a compile cache a second start rewrites nothing, and an edit or a broken entry is rewritten', async () => {
  await using scratch = await scratchFolder('rewriting-cache-')
  const { path } = scratch
  const hot = join(path, 'hot/rule.ts')
  const source = new URL('../src/index.ts', import.meta.url).href
  mkdirSync(join(path, 'hot'))
  writeFileSync(join(path, 'main.mjs'), PROGRAM(source))
  const cache = join(path, 'cache')
  const run = async (text: string): Promise<unknown> => {
    writeFileSync(hot, text)
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@rts/source', join(path, 'main.mjs')],
      { env: { ...process.env, NODE_COMPILE_CACHE: cache } },
    )
    return JSON.parse(stdout)
  }
  const ONE = 'export const rule = (): number => 1'
  const outcome = { first: 1, ok: true, then: 2 }
  expect(await run(ONE)).toEqual({ ...outcome, parsed: true })
  expect(await run(ONE)).toEqual({ ...outcome, parsed: false })
  expect(await run(ONE.replace('1', '3'))).toEqual({ ...outcome, first: 3, parsed: true })
  const [version] = readdirSync(cache)
  const folder = join(cache, version!, 'rts-reload')
  expect(readdirSync(folder)).toHaveLength(2)
  for (const name of readdirSync(folder)) {
    const whole = readFileSync(join(folder, name))
    writeFileSync(join(folder, name), whole.subarray(0, whole.length / 2))
  }
  expect(await run(ONE)).toEqual({ ...outcome, parsed: true })
})
