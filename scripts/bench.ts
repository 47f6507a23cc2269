// `pnpm bench [name] [--json FILE] [--check]`: runs packages/*/bench/*.bench.ts as plain Node scripts.
// What a name stands for is in `chosen-benches.ts`.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { chosenBenches, flagsFor, nameOf } from './chosen-benches.ts'
import { root } from './workspace.ts'

const words = process.argv.slice(2)
const name = words[0]?.startsWith('--') === false ? words[0] : undefined
const flags = name === undefined ? words : words.slice(1)
const all = globSync('packages/*/bench/*.bench.ts', { cwd: root }).sort()
const chosen = chosenBenches(all, name)

if (chosen.length === 0) {
  console.error(`no bench named "${name}"; there are: ${all.map(nameOf).join(', ')}`)
  process.exitCode = 2
}
for (const file of chosen) {
  const { status } = spawnSync(
    process.execPath,
    [
      '--conditions=@rts/source',
      '--expose-gc',
      join(root, file),
      ...flagsFor(flags, file, chosen.length > 1),
    ],
    {
      stdio: 'inherit',
    },
  )
  if (status !== 0) process.exitCode = 1
}
