import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { root } from '../workspace.ts'

const BROWSER_SAFE = ['ecs', 'timer', 'json5x', 'rpc', 'session', 'client']

for (const name of BROWSER_SAFE) {
  test(`@rts/${name} bundles for a browser with nothing of Node in it`, async () => {
    const bundle = await build({
      stdin: { contents: `export * from '@rts/${name}'`, resolveDir: `${root}/packages/${name}` },
      bundle: true,
      write: false,
      metafile: true,
      platform: 'browser',
      format: 'esm',
      conditions: ['@rts/source'],
      logLevel: 'silent',
      absWorkingDir: root,
    })
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports)
    expect(imports.filter(({ path }) => path.startsWith('node:'))).toEqual([])
    // A dependency may ask whether it runs in Node; our own code never does.
    const own = Object.keys(bundle.metafile.inputs).filter((path) => path.startsWith('packages/'))
    expect(own.length).toBeGreaterThan(0)
    for (const path of own) {
      const code = readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '')
      expect(code, path).not.toMatch(
        /\bBuffer\.(from|alloc|concat)\b|\bprocess\.\w|\brequire\(|node:events/,
      )
    }
  })
}
