import { build } from 'esbuild'
import { expect, test } from 'vitest'

// The main entry and the browser's transport, as an application would import them.
const ENTRIES = ['index', 'websocket', 'memory', 'sim']

test.each(ENTRIES)(
  'the entry %s bundles for a browser with nothing of Node in it',
  async (entry) => {
    const bundle = await build({
      entryPoints: [new URL(`../src/${entry}.ts`, import.meta.url).pathname],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      logLevel: 'silent',
    })
    expect(bundle.errors).toEqual([])
    const inputs = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports)
    expect(inputs.filter(({ path }) => path.startsWith('node:'))).toEqual([])
    const own = Object.keys(bundle.metafile.inputs).filter((path) => !path.includes('node_modules'))
    expect(own.length).toBeGreaterThan(0)
  },
)
