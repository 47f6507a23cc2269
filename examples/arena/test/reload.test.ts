import { execFile } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scratchFolder } from '@rts/testing'
import { expect, test } from 'vitest'

const arena = fileURLToPath(new URL('..', import.meta.url))
const KEPT = new Set(['node_modules', '.data'])

test('20 bots play while the game is reloaded 200 times, every tenth edit broken: none is disconnected, no step waits', async () => {
  await using scratch = await scratchFolder('arena-reload-')
  const copy = join(scratch.path, 'arena')
  cpSync(arena, copy, {
    recursive: true,
    filter: (path) => !KEPT.has(path.slice(arena.length).split('/')[0]!),
  })
  symlinkSync(join(arena, 'node_modules'), join(copy, 'node_modules'))
  const args = ['--conditions=@rts/source', '--expose-gc', 'test/reload-soak.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: copy })
  const measured = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>
  console.log(measured)
  expect(measured).toMatchObject({
    reloaded: 180,
    refused: 20,
    wrong: [],
    errors: {},
    finished: 20,
    resumes: 0,
    // A call over a remote from before, and a system of a world from before, run the new code.
    live: {
      called: ['[{"item":"potion","count":3}]', '[{"item":"potion","count":300}]'],
      stepsAtOnce: 1001,
    },
  })
  expect(measured['longestMs']).toBeLessThanOrEqual(50)
  expect(measured['tickP99Ms']).toBeLessThanOrEqual(50)
  expect(measured['growth']).toBeLessThanOrEqual(64 * 1024)
})
