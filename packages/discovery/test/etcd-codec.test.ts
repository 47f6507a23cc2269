import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromEvent, toCompare, toRange, toRequest } from '../src/etcd-codec.ts'

const text = fc.string({ unit: fc.constantFrom('/', 'a', 'b', 'é', '☃', '😀', '\u007f', '\uffff') })
const bytes = (part: string) => Buffer.from(part)

describe('what is sent to etcd', () => {
  it('covers with a prefix exactly the keys that begin with it', () => {
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        fc.pre(prefix !== '')
        const { key: start, range_end: end } = toRange({ prefix })
        const isInside = bytes(key).compare(start) >= 0 && bytes(key).compare(end!) < 0
        expect(isInside).toBe(key.startsWith(prefix))
      }),
      { numRuns: 1000 },
    )
  })

  it('covers every key with the empty prefix, and one with a key', () => {
    expect(toRange({ prefix: '' })).toEqual({ key: Buffer.of(0), range_end: Buffer.of(0) })
    expect(toRange({ key: 'a' })).toEqual({ key: bytes('a') })
  })

  it('names the field it compares', () => {
    expect(toCompare({ key: 'a', createRevision: 3 })).toMatchObject({
      target: 1,
      create_revision: 3,
    })
    expect(toCompare({ key: 'a', modRevision: 3 })).toMatchObject({ target: 2, mod_revision: 3 })
    expect(toCompare({ key: 'a', lease: '9' })).toMatchObject({ target: 4, lease: '9' })
  })

  it('binds a put to no lease unless it is told one', () => {
    const put = { kind: 'put', key: 'a', value: 'b' } as const
    expect(toRequest(put)).toEqual({
      request_put: { key: bytes('a'), value: bytes('b'), lease: '0' },
    })
    expect(toRequest({ ...put, lease: '7' })).toMatchObject({ request_put: { lease: '7' } })
    expect(toRequest({ kind: 'delete', key: 'a' })).toEqual({
      request_delete_range: { key: bytes('a') },
    })
  })
})

describe('what comes from etcd', () => {
  it('keeps lease ids that are larger than a number can hold', () => {
    const kv = {
      key: bytes('a'),
      value: bytes('b'),
      create_revision: '12',
      mod_revision: '13',
      version: '2',
      lease: '9007199254740993',
    }
    expect(fromEvent({ type: 'Put', kv, prev_kv: kv })).toEqual({
      kind: 'put',
      entry: {
        key: 'a',
        value: 'b',
        createRevision: 12,
        modRevision: 13,
        lease: '9007199254740993',
      },
    })
    expect(fromEvent({ type: 'Delete', kv, prev_kv: kv })).toEqual({
      kind: 'delete',
      key: 'a',
      modRevision: 13,
    })
  })
})
