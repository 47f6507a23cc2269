import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

it('bundles for a browser without anything of Node', async () => {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
  })
  expect(result.errors).toEqual([])
  expect(result.outputFiles[0]?.text).not.toMatch(/node:|Buffer|process\.|EventEmitter/)
})
