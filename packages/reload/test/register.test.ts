import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scratchFolder } from '@rts/testing'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const REGISTER = new URL('../src/register.ts', import.meta.url).href
const INDEX = fileURLToPath(new URL('../src/index.ts', import.meta.url))

const MAIN = `import { writeFileSync } from 'node:fs'
import { registeredReloader } from '${INDEX}'
import { Game, where } from './game/game.ts'
const game = new Game()
const file = new URL('./game/game.ts', import.meta.url)
console.log(game.play(), await Promise.resolve('entry may await'))
writeFileSync(file, ${JSON.stringify('FILE')}.replace('one', 'two'))
const reloader = registeredReloader()!
const { ok, warnings } = await reloader.incremental()
console.log(ok, warnings.length, game.play(), reloader.versionOf(game), reloader.nativeImporters().length)
try { where() } catch (error) { console.log((error as Error).stack!.split('\\n')[1]!.trim()) }
process.exit()
`
const GAME = `import { part } from './part.ts'
export class Game { play(): string { return part('one') } }
interface Wide {
  x: number
}
export const where = (): never => {
  throw new Error('here')
}
`

async function start(main: string, game: string): Promise<{ stdout: string; stderr: string }> {
  await using scratch = await scratchFolder('rts-reload-')
  mkdirSync(join(scratch.path, 'game'))
  writeFileSync(join(scratch.path, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(scratch.path, 'main.ts'),
    main.replace('"FILE"', () => JSON.stringify(game)),
  )
  writeFileSync(join(scratch.path, 'game/game.ts'), game)
  writeFileSync(
    join(scratch.path, 'game/part.ts'),
    'export const part = (x: string): string => `<${x}>`',
  )
  try {
    return await run(
      process.execPath,
      ['--conditions=@rts/source', '--import', REGISTER, 'main.ts'],
      { cwd: scratch.path },
    )
  } catch (error) {
    return error as { stdout: string; stderr: string }
  }
}

it('makes what the entry imports hot, with stack traces that show the source', async () => {
  const { stdout, stderr } = await start(MAIN, GAME)
  expect(stderr).toBe('')
  const [first, second, third] = stdout.trim().split('\n')
  expect(first).toBe('<one> entry may await')
  expect(second).toBe('true 0 <two> 2 1')
  expect(third).toMatch(/^at where \(\/.*\/game\/game\.ts:7:9\)$/)
})

it('tells file and line of a hot module that awaits at its top level', async () => {
  const { stderr } = await start(MAIN, `${GAME}await Promise.resolve()\n`)
  expect(stderr).toMatch(/ReloadError.*cannot await at its top level.*game\.ts:9:1/)
})
