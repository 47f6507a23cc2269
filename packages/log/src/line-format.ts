import type { ErrorReport } from './error-report.ts'
import { isAlarm } from './levels.ts'
import { LineTimes } from './line-time.ts'
import type { LineFormat, LogRecord } from './record.ts'

/** Control characters would let a message forge lines or steer a terminal. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]/gu
const BARE_TEXT = /^[^\s"'=\\,{}[\]\p{C}]+$/u
const INDENT = '    '

type Paint = (text: string) => string

const plain: Paint = (text) => text
const color =
  (open: number, close: number): Paint =>
  (text) =>
    `\u001B[${open}m${text}\u001B[${close}m`
const dim = color(2, 22)
const bold = color(1, 22)
const red = color(31, 39)

const LEVEL_PAINTS: Readonly<Record<string, Paint>> = {
  error: color(31, 39),
  warn: color(33, 39),
  info: color(32, 39),
  http: color(36, 39),
  verbose: color(36, 39),
  debug: color(34, 39),
  silly: color(90, 39),
}

export interface TextFormatOptions {
  readonly colors: boolean
  readonly times: 'clock' | 'full'
  readonly utc: boolean
}

/** Lines for people: `time LEVEL name message fields place`, columns two spaces apart, errors below. */
export function textFormat({ colors, times, utc }: TextFormatOptions): LineFormat {
  const lineTimes = new LineTimes(times, utc)
  const quiet = colors ? dim : plain
  const strong = colors ? bold : plain
  const alarm = colors ? red : plain
  return (record) => {
    const paint = (colors ? LEVEL_PAINTS[record.level] : undefined) ?? plain
    const level = paint(record.level.toUpperCase().padEnd(5))
    let line = `${quiet(lineTimes.text(record.timeMs))} ${level} ${strong(onOneLine(record.logger))}`
    if (record.message !== '') line += `  ${indented(record.message, INDENT)}`
    const fields = fieldsText(record.fields, quiet)
    if (fields !== '') line += `  ${fields}`
    const place = placeText(record)
    if (place !== undefined) line += `  ${quiet(place)}`
    if (record.error !== undefined) line += errorText(record.error, '', INDENT, quiet, alarm)
    return `${line}\n`
  }
}

/** Lines for machines: one JSON object each. A field with one of our names gets a `_` at its end. */
export function jsonFormat({ utc }: Pick<TextFormatOptions, 'utc'>): LineFormat {
  const lineTimes = new LineTimes('full', utc)
  return (record) => {
    const { timeMs, level, logger, message, fields, error } = record
    const object: Record<string, unknown> = Object.assign(Object.create(null), {
      time: lineTimes.text(timeMs),
      level,
      logger,
      message: message === '' && error !== undefined ? error.headline : message,
    })
    const place = placeText(record)
    if (error !== undefined) object['error'] = errorObject(error)
    if (place !== undefined) object['place'] = place
    for (const [key, value] of Object.entries(fields)) object[freeName(key, object)] = value
    return `${JSON.stringify(object)}\n`
  }
}

function freeName(key: string, taken: object): string {
  return key in taken ? freeName(`${key}_`, taken) : key
}

/** Full where something is wrong, so that one click leads there; short elsewhere. */
function placeText({ level, place }: LogRecord): string | undefined {
  return isAlarm(level) ? place?.full : place?.short
}

function fieldsText(fields: Readonly<Record<string, unknown>>, quiet: Paint): string {
  return Object.entries(fields)
    .map(([key, value]) => `${quiet(`${bareText(key)}=`)}${valueText(value)}`)
    .join(' ')
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? bareText(value) : escaped(JSON.stringify(value))
}

function bareText(text: string): string {
  return BARE_TEXT.test(text) ? text : escaped(JSON.stringify(text))
}

function errorText(
  error: ErrorReport,
  relation: string,
  indent: string,
  quiet: Paint,
  alarm: Paint,
): string {
  const fields = fieldsText(error.fields, quiet)
  const rest = fields === '' ? '' : `  ${fields}`
  let text = `\n${indent}${relation}${alarm(indented(error.headline, `${indent}${INDENT}`))}${rest}`
  for (const frame of error.frames) text += `\n${indent}${INDENT}${quiet(onOneLine(frame))}`
  for (const [index, inner] of error.errors.entries()) {
    const which = `${index + 1} of ${error.errors.length}: `
    text += errorText(inner, which, `${indent}${INDENT}`, quiet, alarm)
  }
  if (error.cause !== undefined) text += errorText(error.cause, 'caused by ', indent, quiet, alarm)
  return text
}

function errorObject({ headline, frames, fields, cause, errors }: ErrorReport): object {
  return {
    headline,
    ...(Object.keys(fields).length > 0 ? { fields } : {}),
    ...(frames.length > 0 ? { frames } : {}),
    ...(cause === undefined ? {} : { cause: errorObject(cause) }),
    ...(errors.length > 0 ? { errors: errors.map(errorObject) } : {}),
  }
}

/** Lines after the first are indented, so that only records begin at the left edge. */
function indented(text: string, indent: string): string {
  const safe = escaped(text)
  return safe.includes('\n') ? safe.replaceAll('\n', `\n${indent}`) : safe
}

function onOneLine(text: string): string {
  return escaped(text).replaceAll('\n', '\\n')
}

function escaped(text: string): string {
  return text.replaceAll(CONTROLS, (character) => {
    if (character === '\n' || character === '\t') return character
    if (character === '\r') return '\\r'
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
