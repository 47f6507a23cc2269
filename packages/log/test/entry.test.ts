import { describe, expect, it } from 'vitest'
import { entryOf } from '../src/entry.ts'

const error = new TypeError('bad')
const fields = { player: 7, level: 3, message: 'm' }

describe('entryOf', () => {
  it('takes a message and fields, which may be named as they like', () => {
    expect(entryOf(['joined', fields])).toEqual({
      ...{ message: 'joined', sources: [fields], omitted: [], error: undefined },
    })
    expect(entryOf(['joined'])).toMatchObject({ message: 'joined', sources: [] })
    expect(entryOf([])).toMatchObject({ message: '' })
  })

  it('takes errors first, after the message, and as a field named error or err', () => {
    expect(entryOf([error])).toMatchObject({ message: '', error })
    expect(entryOf(['failed', error, { a: 1 }])).toMatchObject({
      message: 'failed',
      error,
      sources: [{ a: 1 }],
    })
    expect(entryOf(['failed', { a: 1, error }])).toMatchObject({ error, omitted: ['error'] })
    expect(entryOf(['failed', { a: 1 }, { err: error }])).toMatchObject({ error, omitted: ['err'] })
    expect(entryOf(['failed', { error: 'text' }])).toMatchObject({ error: undefined, omitted: [] })
  })

  it('keeps a second error as a field', () => {
    const other = new Error('other')
    expect(entryOf([error, other])).toMatchObject({ error, sources: [{ otherError: other }] })
  })

  it('takes one object with its message', () => {
    expect(entryOf([{ message: 'hello', a: 1 }])).toMatchObject({
      message: 'hello',
      omitted: ['message'],
    })
    expect(entryOf([{ message: 1, a: 1 }])).toMatchObject({ message: '', omitted: [] })
  })

  it('fills plain values into the message, and objects never', () => {
    expect(entryOf(['%s has %d', 'ann', 3, { a: 1 }])).toMatchObject({
      ...{ message: 'ann has 3', sources: [{ a: 1 }] },
    })
    expect(entryOf(['100%d %j', { password: 'x' }])).toMatchObject({ message: '100%d %j' })
    expect(entryOf(['a', 1, true, undefined])).toMatchObject({ message: 'a 1 true' })
    expect(entryOf([42])).toMatchObject({ message: '42' })
    expect(entryOf([Symbol('s')])).toMatchObject({ message: 'Symbol(s)' })
    expect(entryOf([undefined])).toMatchObject({ message: 'undefined' })
  })

  it('calls no getter', () => {
    const trap = {
      get message(): string {
        throw new Error('read')
      },
      get error(): Error {
        throw new Error('read')
      },
    }
    expect(entryOf([trap, trap]).sources).toHaveLength(2)
  })
})
