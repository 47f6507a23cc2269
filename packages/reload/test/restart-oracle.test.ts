import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from '@rts/testing'
import { expect, it } from 'vitest'
import { native } from './hot-app.ts'
import { followEdits } from './restart-oracle.ts'

it('after random edits behaves as a fresh process with the migrated state', async () => {
  await using scratch = await scratchFolder('rts-reload-')
  let edits = 0
  for (let seed = 1; seed <= 12; seed += 1)
    edits += await followEdits({
      seed,
      modules: 8,
      edits: 8,
      folder: (name) => {
        const folder = join(scratch.path, name)
        mkdirSync(folder, { recursive: true })
        return folder
      },
      createReloader: (folder) => native.createReloader({ roots: [folder], detectNative: false }),
    })
  expect(edits).toBe(96)
})
