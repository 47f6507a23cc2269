import { describe, expect, it } from 'vitest'
import { reportOf } from '../src/error-report.ts'
import { redactedNames } from '../src/plain.ts'

const none = redactedNames([])

describe('reportOf', () => {
  it('tells name, message, frames, fields and causes', () => {
    const cause = Object.assign(new Error('inner'), { code: 'E_IN' })
    const error = Object.assign(new TypeError('outer', { cause }), { code: 'E_OUT', token: 's' })
    const report = reportOf(error, redactedNames(['token']))
    expect(report).toMatchObject({
      headline: 'TypeError: outer',
      fields: { code: 'E_OUT', token: '<redacted>' },
      cause: { headline: 'Error: inner', fields: { code: 'E_IN' }, cause: undefined },
    })
    expect(report.frames[0]).toMatch(/^at .*error-report\.test\.ts:\d+:\d+\)?$/)
  })

  it('tells the errors of an AggregateError', () => {
    const report = reportOf(new AggregateError([new Error('a'), 'b'], 'both'), none)
    expect(report.errors.map(({ headline }) => headline)).toEqual(['Error: a', 'b'])
  })

  it('shows name and message as they are now', () => {
    const error = new Error('before')
    error.message = 'after\nat second line'
    error.name = 'Renamed'
    expect(reportOf(error, none).headline).toBe('Renamed: after\nat second line')
  })

  it('ends where causes lead in a circle or on and on', () => {
    const first = new Error('first')
    first.cause = new Error('second', { cause: first })
    expect(reportOf(first, none).cause?.cause).toBeUndefined()
    let chain = new Error('0')
    for (let index = 1; index < 100; index += 1) chain = new Error(String(index), { cause: chain })
    let depth = 0
    for (
      let at: { cause: unknown } | undefined = reportOf(chain, none);
      at !== undefined;
      depth += 1
    )
      at = at.cause as never
    expect(depth).toBe(8)
  })

  it('tells what was thrown when that is no error', () => {
    expect(reportOf('text', none).headline).toBe('text')
    expect(reportOf({ a: 1 }, none).headline).toBe('{"a":1}')
    expect(reportOf(null, none).headline).toBe('null')
    expect(reportOf(new Error('x', { cause: 'why' }), none).cause?.headline).toBe('why')
  })

  it('never throws', () => {
    const trap = new Error('x')
    Object.defineProperty(trap, 'message', {
      get() {
        throw new Error('read')
      },
    })
    expect(reportOf(trap, none).headline).toBe('an error that cannot be read')
  })
})
