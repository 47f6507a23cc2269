import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plainValue, redactedNames } from '../src/plain.ts'

fc.configureGlobal({ seed: 20_261_122 })

const none = redactedNames([])
const secrets = redactedNames(['password', 'Ticket'])

describe('plainValue', () => {
  it('leaves what JSON can say as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value)
        fc.pre(!text.includes('__proto__'))
        expect(JSON.stringify(plainValue(value, none))).toBe(text.replaceAll('-0', '0'))
      }),
    )
  })

  it('gives something that can be written for anything, and never throws', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
        (value) => {
          expect(() => JSON.stringify(plainValue(value, secrets))).not.toThrow()
        },
      ),
    )
  })

  it('shows what JSON cannot say', () => {
    const circular: Record<string, unknown> = { a: 1 }
    circular['self'] = circular
    const value = {
      big: 10n,
      nan: Number.NaN,
      date: new Date(0),
      none: undefined,
      bytes: new Uint8Array(12),
      map: new Map([['k', new Set([1])]]),
      error: Object.assign(new TypeError('bad'), { code: 'E_BAD' }),
      url: new URL('tcp://a:1/x'),
      run: function run() {},
      symbol: Symbol('s'),
      circular,
    }
    expect(plainValue(value, none)).toEqual({
      big: '10n',
      nan: 'NaN',
      date: '1970-01-01T00:00:00.000Z',
      bytes: '<12 bytes>',
      map: { k: [1] },
      error: { name: 'TypeError', message: 'bad', code: 'E_BAD' },
      url: 'tcp://a:1/x',
      run: '<function run>',
      symbol: 'Symbol(s)',
      circular: { a: 1, self: '<circular>' },
    })
  })

  it('leaves out secrets at any depth, in any letter case, in maps and errors too', () => {
    const value = {
      user: 'ann',
      password: 'p1',
      login: [{ PASSWORD: 'p2', deeper: new Map([['ticket', 'p3']]) }],
      error: Object.assign(new Error('x'), { ticket: { value: 'p4' } }),
      passwords: 'not that name',
    }
    const text = JSON.stringify(plainValue(value, secrets))
    expect(text).not.toMatch(/p[1-4]/)
    expect(text.match(/<redacted>/g)).toHaveLength(4)
    expect(text).toContain('not that name')
  })

  it('does not look at a secret at all', () => {
    const value = {
      get password(): string {
        throw new Error('was read')
      },
    }
    expect(plainValue(value, secrets)).toEqual({ password: '<redacted>' })
  })

  it('is bounded in length, entries, depth and number', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : { d: deep(levels - 1) })
    const wide = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, index]))
    expect(plainValue('x'.repeat(9000), none)).toMatch(/^x{8192}… 808 more$/)
    expect(plainValue(Array.from({ length: 150 }).fill(0), none)).toHaveLength(101)
    expect(plainValue(wide, none)).toMatchObject({ k99: 99, '…': '100 more' })
    expect(JSON.stringify(plainValue(deep(20), none))).toContain('<object>')
    const huge = Array.from({ length: 100 }, () => wide)
    expect(JSON.stringify(plainValue(huge, none)).length).toBeLessThan(30_000)
  })

  it('survives getters that throw, and leaves the original alone', () => {
    const value = {
      list: [1],
      get broken(): number {
        throw new Error('no')
      },
    }
    const copy = plainValue(value, none) as { list: number[] }
    expect(copy).toEqual({ list: [1], broken: '<unreadable>' })
    expect(copy.list).not.toBe(value.list)
  })
})
