import { describe, expect, it } from 'vitest'
import { EtcdBackend } from '../src/index.ts'

describe('EtcdBackend', () => {
  it('names the option that is wrong', () => {
    const make = (options: object) => () =>
      new EtcdBackend({ hosts: 'http://127.0.0.1:2379', ...options })
    expect(make({ hosts: [] })).toThrow(/^hosts must be URLs/)
    expect(make({ hosts: '127.0.0.1:2379' })).toThrow(/got 127.0.0.1:2379/)
    expect(make({ hosts: 'http://a:1/path' })).toThrow(RangeError)
    expect(make({ hosts: ['http://a:1', 'https://b:1'] })).toThrow(/all http or all https/)
    expect(make({ callTimeoutMs: 0 })).toThrow(/callTimeoutMs .* got 0/)
    expect(make({ pingIntervalMs: Number.NaN })).toThrow(/pingIntervalMs .* got NaN/)
    expect(make({ hosts: ['http://a:1/', 'http://b:1'] })).not.toThrow()
  })

  it('opens no connection until it is used, and closes without any', async () => {
    const before = process.getActiveResourcesInfo().filter((each) => /TCP|Socket/.test(each))
    const backend = new EtcdBackend({ hosts: 'http://127.0.0.1:1' })
    backend.open()
    expect(process.getActiveResourcesInfo().filter((each) => /TCP|Socket/.test(each))).toEqual(
      before,
    )
    await backend.close()
    await backend.close()
  })
})
