import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../src/index.ts'
import { storesConform } from './entity-store.conformance.ts'

storesConform('MemoryStore', async () => {
  const store = new MemoryStore()
  return { a: store, b: store, [Symbol.asyncDispose]: () => store.close() }
})

describe('MemoryStore', () => {
  it('refuses data over its limit and saves the rest of the batch', async () => {
    const store = new MemoryStore({ maxEntityBytes: 10 })
    const save = { type: 'avatar', version: 0, fence: 0 }
    const results = await store.save([
      { ...save, id: 'large', data: 'x'.repeat(9) },
      { ...save, id: 'small', data: 'x'.repeat(8) },
    ])
    expect(results).toMatchObject([
      { saved: false, reason: 'refused', error: { code: 'STORE_VALUE' } },
      { saved: true },
    ])
  })

  it('names an option it cannot work with', () => {
    expect(() => new MemoryStore({ maxEntityBytes: 0 })).toThrow(/maxEntityBytes .* not 0/)
  })
})
