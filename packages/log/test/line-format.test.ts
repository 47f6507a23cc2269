import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reportOf } from '../src/error-report.ts'
import { jsonFormat, textFormat } from '../src/line-format.ts'
import { redactedNames } from '../src/plain.ts'
import type { LogRecord } from '../src/record.ts'

fc.configureGlobal({ seed: 20_261_122 })

const text = textFormat({ colors: false, times: 'clock', utc: true })
const colored = textFormat({ colors: true, times: 'clock', utc: true })
const json = jsonFormat({ utc: true })

const record = (more: Partial<LogRecord> = {}): LogRecord => ({
  timeMs: Date.UTC(2026, 10, 22, 14, 3, 7, 123),
  level: 'info',
  logger: 'gate',
  message: 'listening',
  fields: {},
  error: undefined,
  place: { full: 'src/room.ts:12:5', short: 'room.ts:12' },
  ...more,
})

const withoutFrames = (error: unknown): LogRecord['error'] => {
  const report = reportOf(error, redactedNames([]))
  const cause =
    report.cause === undefined ? undefined : { ...report.cause, frames: ['at b (b.ts:2:2)'] }
  return { ...report, frames: ['at a (a.ts:1:1)'], cause }
}

describe('textFormat', () => {
  it('writes time, level, name, message, fields and place', () => {
    const fields = {
      url: 'tcp://[::1]:7',
      n: 1,
      name: 'Bob "B"',
      empty: '',
      list: [1, 'a'],
      o: { a: null },
    }
    expect(text(record({ fields }))).toBe(
      '14:03:07.123 INFO  gate  listening  url="tcp://[::1]:7" n=1 name="Bob \\"B\\"" empty="" list=[1,"a"] o={"a":null}  room.ts:12\n',
    )
  })

  it('writes the whole place from warnings up, and none where there is none', () => {
    expect(text(record({ level: 'warn' }))).toBe(
      '14:03:07.123 WARN  gate  listening  src/room.ts:12:5\n',
    )
    expect(text(record({ level: 'error', place: undefined }))).toBe(
      '14:03:07.123 ERROR gate  listening\n',
    )
  })

  it('writes errors below, indented, with their fields and causes', () => {
    const cause = Object.assign(new Error('no such\nfile'), { code: 'ENOENT' })
    const error = withoutFrames(new TypeError('bad config', { cause }))
    expect(text(record({ level: 'error', message: 'stopped', error, place: undefined }))).toBe(
      [
        '14:03:07.123 ERROR gate  stopped',
        '    TypeError: bad config',
        '        at a (a.ts:1:1)',
        '    caused by Error: no such',
        '        file  code=ENOENT',
        '        at b (b.ts:2:2)',
        '',
      ].join('\n'),
    )
  })

  it('colours the level, and keeps colours out of the place', () => {
    expect(colored(record({ level: 'warn', fields: { n: 1 } }))).toBe(
      '\u001B[2m14:03:07.123\u001B[22m \u001B[33mWARN \u001B[39m \u001B[1mgate\u001B[22m  listening' +
        '  \u001B[2mn=\u001B[22m1  \u001B[2msrc/room.ts:12:5\u001B[22m\n',
    )
    expect(colored(record({ level: 'fatal' }))).toContain(' FATAL ')
  })

  it('lets no text begin a line of its own or steer the terminal', () => {
    const any = fc.string({
      unit: fc.constantFrom('a', '\n', '\r', '\u001B', '\u0085', '\u2028', '\t', '"', ' ', '\0'),
    })
    fc.assert(
      fc.property(any, any, any, any, (message, key, value, logger) => {
        const error = withoutFrames(new Error(message, { cause: new Error(value) }))
        const lines = text(record({ message, fields: { [key]: value }, logger, error })).split('\n')
        expect(lines.filter((line) => !line.startsWith('    '))).toHaveLength(2)
        expect(lines.at(-1)).toBe('')
        expect(lines.join('')).not.toMatch(/[^\P{Cc}\t]|[\p{Zl}\p{Zp}]/u)
      }),
    )
  })
})

describe('jsonFormat', () => {
  it('writes one object per line', () => {
    const line = json(record({ fields: { a: [1], level: 7, time: 'x' } }))
    expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(line)).toEqual({
      time: '2026-11-22T14:03:07.123Z',
      level: 'info',
      logger: 'gate',
      message: 'listening',
      place: 'room.ts:12',
      a: [1],
      level_: 7,
      time_: 'x',
    })
  })

  it('writes errors as objects, and their headline where there is no message', () => {
    const error = withoutFrames(new TypeError('bad', { cause: new Error('why') }))
    expect(JSON.parse(json(record({ message: '', error, place: undefined })))).toMatchObject({
      message: 'TypeError: bad',
      error: {
        headline: 'TypeError: bad',
        frames: ['at a (a.ts:1:1)'],
        cause: { headline: 'Error: why' },
      },
    })
  })

  it('writes one line that reads back for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (message, key) => {
        const line = json(record({ message, fields: { [key]: message } }))
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect((JSON.parse(line) as { message: string }).message).toBe(message)
      }),
    )
  })
})
