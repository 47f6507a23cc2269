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
    })
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports)
    expect(imports.filter(({ path }) => path.startsWith('node:'))).toEqual([])
    const code = bundle.outputFiles[0]?.text ?? ''
    expect(code).not.toMatch(
      /\bBuffer\.(from|alloc|concat)\b|\bprocess\.(env|nextTick|hrtime)\b|\brequire\(/,
    )
  })
}
