// `node --import @rts/reload/register src/main.ts`: everything beside and below the entry is hot, the entry is not.
// `"reload": { "roots": ["src/game"] }` in the package.json of the working folder narrows it.
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setDefaultReloader } from './default-reloader.ts'
import { createReloader } from './reloader.ts'

function configuredRoots(): readonly string[] | undefined {
  try {
    const text = readFileSync(resolve('package.json'), 'utf8')
    return (JSON.parse(text) as { reload?: { roots?: readonly string[] } }).reload?.roots
  } catch {
    return undefined
  }
}

const script = process.argv[1]
if (script !== undefined) {
  const entry = realpathSync(script)
  setDefaultReloader(
    createReloader({
      roots: configuredRoots() ?? [dirname(entry)],
      exclude: (file) => file === entry,
      // Nothing was loaded before.
      detectNative: false,
    }),
  )
}
