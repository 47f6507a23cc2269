import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const index = new URL('../src/index.ts', import.meta.url).href
async function run(program: string): Promise<string> {
  const args = ['--conditions=@rts/source', '--input-type=module', '--eval', program]
  return (await promisify(execFile)(process.execPath, args, { timeout: 20_000 })).stdout
}

describe('the machine’s clock', () => {
  it('keeps a process alive while somebody waits for a call, and not for what runs in the background', async () => {
    const output = await run(`
      import { EtcdBackend, MemoryBackend, Registry } from '${index}'
      const failed = (error) => console.log(error.code)
      const away = new Registry(new EtcdBackend({ hosts: 'http://127.0.0.1:1' }), { connectTimeoutMs: 300 })
      await away.start().catch(failed)
      const registry = new Registry(new MemoryBackend())
      await registry.register({ id: 'game_1', role: 'game', addresses: {} })
      await registry.watch('game').ready({ count: 2, timeoutMs: 200 }).catch(failed)
      // Never stopped: it is registered, watches and renews its lease when the program ends here.
    `)
    expect(output).toBe('DISCOVERY_UNAVAILABLE\nDISCOVERY_NOT_READY\n')
  })
})
