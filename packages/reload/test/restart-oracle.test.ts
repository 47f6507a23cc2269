import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from '@rts/testing'
import { expect, it } from 'vitest'
import { native } from './hot-app.ts'
import { RestartOracle } from './restart-oracle.ts'

it.each(Array.from({ length: 4 }, (_, index) => index + 1))(
  'after random edits behaves as a fresh process with the migrated state, or the report lists the difference (seed %i)',
  async (seed) => {
    await using scratch = await scratchFolder('rts-reload-')
    const folder = join(scratch.path, 'app')
    mkdirSync(folder)
    const oracle = new RestartOracle({
      seed,
      modules: 5,
      edits: 6,
      processFrom: 5,
      folder,
      createReloader: (root) => native.createReloader({ roots: [root], detectNative: false }),
    })
    expect((await oracle.follow()).edits).toBe(6)
  },
)
