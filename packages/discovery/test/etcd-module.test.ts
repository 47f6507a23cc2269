import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** What a fresh process prints that runs `script` with the package's exports in scope. */
function fresh(script: string): string {
  const index = new URL('../src/index.ts', import.meta.url).href
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--conditions=@rts/source',
      '--input-type=module',
      '--eval',
      `const d = await import('${index}')\n${script}`,
    ],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
  )
  return stdout.trim() || stderr
}
const IS_LOADED = `
  const { createRequire } = await import('node:module')
  const files = Object.keys(createRequire(import.meta.url).cache)
  console.log(files.some((file) => /etcd3|grpc-js|proto-loader/.test(file)))`

describe('the etcd3 client', () => {
  it('is not loaded by a process that uses another backend', () => {
    const script = `
      const registry = new d.Registry(new d.MemoryBackend())
      await registry.register({ id: 'game_1', role: 'game', addresses: {} })
      new d.EtcdBackend({ hosts: 'http://127.0.0.1:1' }).open()
      await registry.stop()`
    expect(fresh(script + IS_LOADED)).toBe('false')
  })

  it('is loaded by the first request to etcd', () => {
    const script = `
      const backend = new d.EtcdBackend({ hosts: 'http://127.0.0.1:1', callTimeoutMs: 1000 })
      await backend.range({ key: 'x' }).catch(() => {})
      await backend.close()`
    expect(fresh(script + IS_LOADED)).toBe('true')
  })
})
