import { format } from 'node:util'

/** What one call of a logger says. Nothing of it was read or copied beyond the message. */
export interface Entry {
  readonly message: string
  /** Objects whose members are fields; the last one that has a name wins. */
  readonly sources: readonly object[]
  /** Members that are no fields because they are the message or the error. */
  readonly omitted: readonly string[]
  /** What was thrown, if anything. */
  readonly error: unknown
}

/**
 * Reads the arguments of `logger.info(...)` in all the ways winston takes them: a message, an error or
 * one object; then errors, objects with fields, and plain values that fill `%s` and its like.
 *
 * Fields named `message` and `level` stay fields, and objects are never put into the message, where
 * nothing could keep secrets out.
 */
export function entryOf(args: readonly unknown[]): Entry {
  const [first, ...rest] = args
  let message = ''
  let error: unknown
  const omitted: string[] = []
  const sources: object[] = []
  const values: unknown[] = []
  if (first instanceof Error) error = first
  else if (isObject(first)) {
    sources.push(first)
    const own = ownValue(first, 'message')
    if (typeof own === 'string') {
      message = own
      omitted.push('message')
    }
  } else if (args.length > 0) message = String(first)
  for (const value of rest) {
    if (value instanceof Error && error === undefined) error = value
    else if (value instanceof Error) sources.push({ otherError: value })
    else if (isObject(value)) sources.push(value)
    else if (value !== undefined) values.push(value)
  }
  if (values.length > 0) message = format(message, ...values)
  for (const name of ['error', 'err']) {
    const thrown = sources
      .map((source) => ownValue(source, name))
      .find((value) => value instanceof Error)
    if (error !== undefined || thrown === undefined) continue
    error = thrown
    omitted.push(name)
  }
  return { message, sources, omitted, error }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Without calling a getter, which might throw into the code that logs. */
function ownValue(object: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.value
}
