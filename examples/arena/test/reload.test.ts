import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ArenaCopy } from './arena-copy.ts'

test('20 bots play while the game is reloaded 200 times, every tenth edit broken: none is disconnected, no step waits', async () => {
  await using copy = await ArenaCopy.make()
  const args = ['--conditions=@rts/source', '--expose-gc', 'test/reload-soak.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: copy.folder })
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
  // A version of a module that is kept by mistake is 10 KB and more.
  expect(measured['quietGrowth']).toBeLessThanOrEqual(4 * 1024)
  // While bots play, old code is not collected at once, and they leave something behind themselves.
  expect(measured['growth']).toBeLessThanOrEqual(48 * 1024)
})
