import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntityStore, ListOptions, SaveRequest, StoredEntity } from '../src/index.ts'

/** Two handles on the same stored entities, as two processes would have them. */
export interface StorePair extends AsyncDisposable {
  readonly a: EntityStore
  readonly b: EntityStore
}

const request = (fields: Partial<SaveRequest> = {}): SaveRequest => ({
  type: 'avatar',
  id: 'ann',
  version: 0,
  fence: 0,
  data: { gold: 1 },
  ...fields,
})

const list = (store: EntityStore, type: string, options: ListOptions) => {
  if (store.list === undefined) throw new Error('this store has no list')
  return store.list(type, options)
}
const ids = (entities: readonly StoredEntity[]) => entities.map(({ id }) => id)

/** What every store must do. */
export function storesConform(name: string, open: () => Promise<StorePair>): void {
  describe(`${name} as an entity store`, () => {
    describe('loading and saving', () => {
      it('gives undefined for an entity that was never saved', async () => {
        await using pair = await open()
        expect(await pair.a.load('avatar', 'ann')).toBeUndefined()
      })

      it('gives back what was saved, under version 1', async () => {
        await using pair = await open()
        expect(await pair.a.save([request({ fence: 7 })])).toEqual([{ saved: true, version: 1 }])
        expect(await pair.b.load('avatar', 'ann')).toEqual({
          type: 'avatar',
          id: 'ann',
          version: 1,
          fence: 7,
          data: { gold: 1 },
        })
      })

      it('counts the version up with each save', async () => {
        await using pair = await open()
        for (const version of [0, 1, 2]) {
          const [result] = await pair.a.save([request({ version, data: version })])
          expect(result).toEqual({ saved: true, version: version + 1 })
        }
        expect(await pair.a.load('avatar', 'ann')).toMatchObject({ version: 3, data: 2 })
      })

      it('keeps entities of one id and two types apart', async () => {
        await using pair = await open()
        await pair.a.save([
          request({ data: 'an avatar' }),
          request({ type: 'room', data: 'a room' }),
        ])
        expect((await pair.a.load('avatar', 'ann'))?.data).toBe('an avatar')
        expect((await pair.a.load('room', 'ann'))?.data).toBe('a room')
      })

      it('refuses a save that is based on another version, and says which one it has', async () => {
        await using pair = await open()
        await pair.a.save([request()])
        const conflict = { saved: false, reason: 'conflict', version: 1, fence: 0 }
        expect(await pair.b.save([request()])).toEqual([conflict])
        expect(await pair.b.save([request({ version: 2 })])).toEqual([conflict])
        expect(await pair.b.save([request({ id: 'bob', version: 3 })])).toEqual([
          { saved: false, reason: 'conflict', version: 0, fence: 0 },
        ])
        expect(await pair.b.load('avatar', 'bob')).toBeUndefined()
      })

      it('gives each request of a batch its own result and saves the rest', async () => {
        await using pair = await open()
        await pair.a.load('avatar', 'fenced', { fence: 9 })
        await pair.a.save([request({ id: 'there' })])
        const results = await pair.a.save([
          request({ id: 'new' }),
          request({ id: 'fenced', fence: 8 }),
          request({ id: 'there' }),
          request({ id: 'bad', data: { run() {} } }),
          request({ id: 'there', version: 1 }),
          request({ id: 'new', version: 1, data: 'twice in a batch' }),
        ])
        expect(results).toMatchObject([
          { saved: true, version: 1 },
          { saved: false, reason: 'fenced', version: 0, fence: 9 },
          { saved: false, reason: 'conflict', version: 1, fence: 0 },
          { saved: false, reason: 'refused', error: { code: 'STORE_VALUE', executed: 'no' } },
          { saved: true, version: 2 },
          { saved: true, version: 2 },
        ])
        expect(ids(await list(pair.b, 'avatar', { limit: 10 }))).toEqual(['new', 'there'])
      })

      it('answers an empty batch with no results', async () => {
        await using pair = await open()
        expect(await pair.a.save([])).toEqual([])
      })

      it('reads the data before it returns, so that later changes do not count', async () => {
        await using pair = await open()
        const data = { gold: 1 }
        const saving = pair.a.save([request({ data })])
        data.gold = 2
        await saving
        expect((await pair.a.load('avatar', 'ann'))?.data).toEqual({ gold: 1 })
      })

      it('gives each caller a copy of its own', async () => {
        await using pair = await open()
        await pair.a.save([request({ data: { items: [1] } })])
        const first = await pair.a.load('avatar', 'ann')
        Object.assign(first?.data ?? {}, { items: [2] })
        expect((await pair.a.load('avatar', 'ann'))?.data).toEqual({ items: [1] })
      })

      it('runs calls in the order they were made', async () => {
        await using pair = await open()
        const calls = [
          pair.a.save([request({ data: 'one' })]),
          pair.a.save([request({ version: 1, data: 'two' })]),
          pair.a.save([request({ version: 2, data: 'three' })]),
        ]
        expect((await Promise.all(calls)).flat()).toEqual(
          [1, 2, 3].map((version) => ({ saved: true, version })),
        )
      })

      it('refuses names and numbers that not every store could keep', async () => {
        await using pair = await open()
        await expect(pair.a.load('', 'ann')).rejects.toThrow(RangeError)
        await expect(pair.a.load('avatar', 'a\0b')).rejects.toThrow(RangeError)
        await expect(pair.a.load('avatar', '\ud800')).rejects.toThrow(RangeError)
        await expect(pair.a.load('avatar', 'x'.repeat(257))).rejects.toThrow(RangeError)
        await expect(pair.a.load('avatar', 'ann', { fence: -1 })).rejects.toThrow(RangeError)
        await expect(pair.a.save([request({ version: 0.5 })])).rejects.toThrow(RangeError)
        await expect(pair.a.save([request({ fence: 2 ** 53 })])).rejects.toThrow(RangeError)
        await expect(list(pair.a, 'avatar', { limit: 0 })).rejects.toThrow(RangeError)
      })
    })

    describe('fences', () => {
      it('refuses to load for an owner older than the newest it has seen', async () => {
        await using pair = await open()
        await pair.a.save([request({ fence: 5 })])
        await pair.b.load('avatar', 'ann', { fence: 7 })
        await expect(pair.a.load('avatar', 'ann', { fence: 5 })).rejects.toMatchObject({
          code: 'STORE_FENCED',
          fence: 7,
        })
      })

      it('lets the same owner load again, and anyone read without a fence', async () => {
        await using pair = await open()
        await pair.a.save([request({ fence: 5 })])
        expect(await pair.a.load('avatar', 'ann', { fence: 5 })).toMatchObject({ fence: 5 })
        expect(await pair.b.load('avatar', 'ann')).toMatchObject({ fence: 5 })
        expect(await pair.a.save([request({ version: 1, fence: 5 })])).toEqual([
          { saved: true, version: 2 },
        ])
      })

      it('refuses the save of an old owner once the new one has loaded', async () => {
        await using pair = await open()
        await pair.a.save([request({ fence: 5 })])
        const loaded = await pair.b.load('avatar', 'ann', { fence: 7 })
        expect(loaded).toMatchObject({ version: 1, fence: 7 })
        expect(await pair.a.save([request({ version: 1, fence: 5, data: 'late' })])).toEqual([
          { saved: false, reason: 'fenced', version: 1, fence: 7 },
        ])
        expect(await pair.b.save([request({ version: 1, fence: 7, data: 'new' })])).toEqual([
          { saved: true, version: 2 },
        ])
        expect((await pair.a.load('avatar', 'ann'))?.data).toBe('new')
      })

      it('does so for an entity that does not exist yet, whose first save the old owner would take', async () => {
        await using pair = await open()
        expect(await pair.a.load('avatar', 'ann', { fence: 5 })).toBeUndefined()
        expect(await pair.b.load('avatar', 'ann', { fence: 7 })).toBeUndefined()
        expect(await pair.a.save([request({ fence: 5 })])).toMatchObject([{ reason: 'fenced' }])
        expect(await pair.b.load('avatar', 'ann')).toBeUndefined()
        expect(await list(pair.b, 'avatar', { limit: 10 })).toEqual([])
        expect(await pair.b.save([request({ fence: 7 })])).toEqual([{ saved: true, version: 1 }])
      })

      it('raises the fence by a save too, even by one that is refused for its version', async () => {
        await using pair = await open()
        await pair.a.save([request({ fence: 5 })])
        expect(await pair.b.save([request({ version: 0, fence: 7 })])).toEqual([
          { saved: false, reason: 'conflict', version: 1, fence: 7 },
        ])
        expect(await pair.a.save([request({ version: 1, fence: 5 })])).toMatchObject([
          { reason: 'fenced', fence: 7 },
        ])
      })

      it('holds them over any sequence of owners, loads and saves', async () => {
        const step = fc.record({
          fence: fc.integer({ min: 0, max: 4 }),
          action: fc.constantFrom('load', 'save', 'save of an old version'),
        })
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
            await using pair = await open()
            let highest = 0
            let version = 0
            let data: unknown
            for (const [index, { fence, action }] of steps.entries()) {
              const store = index % 2 === 0 ? pair.a : pair.b
              if (action === 'load') {
                const loading = store.load('avatar', 'ann', { fence })
                if (fence < highest) {
                  await expect(loading).rejects.toMatchObject({ code: 'STORE_FENCED' })
                } else {
                  const expected = version === 0 ? undefined : { version, fence, data }
                  const loaded = await loading
                  if (expected === undefined) expect(loaded).toBeUndefined()
                  else expect(loaded).toMatchObject(expected)
                }
              } else {
                const base = action === 'save' ? version : version + 1
                const [result] = await store.save([request({ version: base, fence, data: index })])
                if (fence < highest) expect(result).toMatchObject({ reason: 'fenced', version })
                else if (base !== version)
                  expect(result).toMatchObject({ reason: 'conflict', version })
                else {
                  version += 1
                  data = index
                  expect(result).toEqual({ saved: true, version })
                }
              }
              highest = Math.max(highest, fence)
            }
          }),
          { numRuns: 30, seed: 11 },
        )
      })
    })

    describe('data', () => {
      it('comes back as it was, what JSON lacks included', async () => {
        await using pair = await open()
        const data = {
          text: 'naïve 漢字 🎮 \0 \ud800',
          numbers: [0, -0, 0.1, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 5e-324],
          none: null,
          bytes: new Uint8Array([0, 1, 255]),
          floats: new Float32Array([1.5, NaN]),
          longs: new BigInt64Array([-1n]),
          big: -123456789012345678901234567890n,
          date: new Date(1_234_567_890_123),
          map: new Map<unknown, unknown>([[{ key: 1 }, new Set([1n, 'two'])]]),
          $date: { $: 'keys that look like tags', $$set: [] },
        }
        await pair.a.save([request({ data })])
        expect((await pair.b.load('avatar', 'ann'))?.data).toStrictEqual(data)
      })

      it('may be at the top whatever may be inside', async () => {
        await using pair = await open()
        const values = [null, 0, '', false, [], {}, 5n, new Uint8Array(0), new Map()]
        for (const [index, data] of values.entries()) {
          await pair.a.save([request({ id: `v${index}`, data })])
          expect((await pair.a.load('avatar', `v${index}`))?.data).toStrictEqual(data)
        }
      })
    })

    describe('listing', () => {
      it('gives the entities of one type in the order of their ids, up to the limit', async () => {
        await using pair = await open()
        await pair.a.save(['b', 'a', 'd', 'c'].map((id) => request({ id })))
        await pair.a.save([request({ type: 'room', id: 'aa' })])
        expect(ids(await list(pair.b, 'avatar', { limit: 3 }))).toEqual(['a', 'b', 'c'])
        expect(await list(pair.b, 'room', { limit: 3 })).toEqual([
          { type: 'room', id: 'aa', version: 1, fence: 0, data: { gold: 1 } },
        ])
        expect(await list(pair.b, 'guild', { limit: 3 })).toEqual([])
      })

      it('gives page after page, and only ids with the prefix', async () => {
        await using pair = await open()
        await pair.a.save(['x', 'eu:1', 'eu:2', 'eu:3', 'us:1', 'e'].map((id) => request({ id })))
        const first = await list(pair.a, 'avatar', { limit: 2, prefix: 'eu:' })
        expect(ids(first)).toEqual(['eu:1', 'eu:2'])
        const after = first.at(-1)?.id ?? ''
        const second = await list(pair.a, 'avatar', { limit: 2, prefix: 'eu:', after })
        expect(ids(second)).toEqual(['eu:3'])
      })

      it('finds the same ids in the same order as a plain search would', async () => {
        const id = fc.string({
          unit: fc.constantFrom('a', 'b', 'é', '\uffee', '🎮', '%', '_'),
          minLength: 1,
          maxLength: 4,
        })
        const bytes = (text: string) => Buffer.from(text)
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(id, { maxLength: 12 }),
            fc.string({ unit: fc.constantFrom('a', 'é', '🎮', '%'), maxLength: 2 }),
            fc.option(id, { nil: undefined }),
            async (names, prefix, after) => {
              await using pair = await open()
              await pair.a.save(names.map((name) => request({ id: name })))
              const options =
                after === undefined ? { limit: 5, prefix } : { limit: 5, prefix, after }
              const expected = names
                .filter((name) => name.startsWith(prefix))
                .filter((name) => after === undefined || bytes(name).compare(bytes(after)) > 0)
                .sort((one, two) => bytes(one).compare(bytes(two)))
                .slice(0, 5)
              expect(ids(await list(pair.b, 'avatar', options))).toEqual(expected)
            },
          ),
          { numRuns: 30, seed: 12 },
        )
      })
    })

    describe('closing', () => {
      it('lets the calls made before finish and refuses those after', async () => {
        await using pair = await open()
        const saving = pair.a.save([request()])
        await Promise.all([saving, pair.a.close(), pair.a.close()])
        await expect(pair.a.load('avatar', 'ann')).rejects.toMatchObject({ code: 'STORE_CLOSED' })
        await expect(pair.a.save([request()])).rejects.toMatchObject({ code: 'STORE_CLOSED' })
        await expect(list(pair.a, 'avatar', { limit: 1 })).rejects.toMatchObject({
          code: 'STORE_CLOSED',
        })
      })
    })
  })
}
