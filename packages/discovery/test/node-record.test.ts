import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeRecord,
  encodeRecord,
  makeRecord,
  MAX_RECORD_BYTES,
  type NodeRecord,
} from '../src/node-record.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const records: fc.Arbitrary<NodeRecord> = fc
  .record({
    id: name,
    epoch: name,
    role: name,
    addresses: fc.dictionary(name, fc.constant('tcp://10.0.0.1:7001'), { maxKeys: 2 }),
    zone: optional(name),
    weight: optional(fc.integer({ min: 0, max: 100 })),
    version: optional(name),
    state: fc.constantFrom('starting', 'ready', 'draining'),
    meta: optional(
      fc.dictionary(name, fc.oneof(fc.boolean(), fc.integer(), fc.string({ maxLength: 5 })), {
        maxKeys: 3,
      }),
    ),
  })
  .map((record) => JSON.parse(JSON.stringify(record)) as NodeRecord)

describe('a node record', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(records, (record) => {
        fc.pre(Buffer.byteLength(JSON.stringify(record)) <= MAX_RECORD_BYTES)
        expect(decodeRecord(encodeRecord(record))).toEqual(record)
      }),
    )
  })

  it('is read from any text without an error, or not at all', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const record = decodeRecord(text)
        if (record) expect(decodeRecord(JSON.stringify(record))).toEqual(record)
      }),
      { numRuns: 500 },
    )
  })

  it('is not read when a field of it is of the wrong kind', () => {
    const good = JSON.parse(
      encodeRecord(makeRecord({ id: 'a', role: 'game', addresses: { tcp: 'tcp://a:1' } }, 'e1')),
    ) as Record<string, unknown>
    expect(decodeRecord(JSON.stringify(good))).toBeDefined()
    const wrong: Record<string, unknown[]> = {
      id: [1, '', null, undefined],
      epoch: [undefined, 7],
      role: [[], undefined],
      addresses: [undefined, 'tcp://a:1', { tcp: 1 }, []],
      zone: [1, null],
      weight: ['1', -1, null],
      version: [2],
      state: ['dead', undefined, 1],
      meta: ['x', { a: {} }, { a: null }, []],
    }
    for (const [field, values] of Object.entries(wrong)) {
      for (const value of values) {
        const json = JSON.stringify({ ...good, [field]: value })
        expect(decodeRecord(json), json).toBeUndefined()
      }
    }
    expect(decodeRecord(JSON.stringify({ ...good, more: 'x'.repeat(20_000) }))).toBeUndefined()
  })

  it('keeps fields that a newer version wrote', () => {
    const json = '{"id":"a","epoch":"e","role":"r","addresses":{},"state":"ready","later":1}'
    expect(decodeRecord(json)).toMatchObject({ later: 1 })
  })

  it('is refused with the field that is wrong, and when it is too long', () => {
    const make = (rest: object) => () =>
      makeRecord({ id: 'a', role: 'r', addresses: {}, ...rest }, 'e')
    expect(make({ id: '' })).toThrow(/^id /)
    expect(make({ role: 'a\nb' })).toThrow(/^role /)
    expect(make({ weight: Number.NaN })).toThrow(RangeError)
    expect(make({ version: 'é'.repeat(300) })).toThrow(/6\d\d bytes long; at most 512/)
  })
})
