import { shownStack } from './place.ts'
import { cut, plainFields, plainValue, type Redacted } from './plain.ts'

const MAX_CAUSES = 8
const MAX_ERRORS = 8
const MAX_STACK = 16_384
/** What a report shows otherwise. */
const KNOWN: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors'])

/** An error as a log writes it: all of it is text or plain values, secrets left out. */
export interface ErrorReport {
  /** `TypeError: it broke` */
  readonly headline: string
  /** `at room (src/room.ts:12:5)`, innermost first. */
  readonly frames: readonly string[]
  /** What else the error holds, such as `code`. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause: ErrorReport | undefined
  /** The errors of an `AggregateError`. */
  readonly errors: readonly ErrorReport[]
}

/** Reports whatever was thrown. Never throws. */
export function reportOf(thrown: unknown, redacted: Redacted): ErrorReport {
  try {
    return report(thrown, redacted, [])
  } catch {
    return {
      headline: 'an error that cannot be read',
      frames: [],
      fields: {},
      cause: undefined,
      errors: [],
    }
  }
}

function report(thrown: unknown, redacted: Redacted, above: readonly unknown[]): ErrorReport {
  if (!(thrown instanceof Error)) {
    const plain = plainValue(thrown, redacted)
    const headline = typeof plain === 'string' ? plain : JSON.stringify(plain)
    return { headline, frames: [], fields: {}, cause: undefined, errors: [] }
  }
  const [headline, frames] = splitStack(thrown)
  const others = Object.keys(thrown).filter((name) => !KNOWN.has(name))
  const path = [...above, thrown]
  const isNew = (error: unknown): boolean => error !== undefined && !path.includes(error)
  const hasCause = isNew(thrown.cause) && path.length < MAX_CAUSES
  const errors = thrown instanceof AggregateError && path.length < MAX_CAUSES ? thrown.errors : []
  return {
    headline,
    frames,
    fields: plainFields(new Map(others.map((name) => [name, thrown])), redacted),
    cause: hasCause ? report(thrown.cause, redacted, path) : undefined,
    errors: errors
      .filter(isNew)
      .slice(0, MAX_ERRORS)
      .map((error: unknown) => report(error, redacted, path)),
  }
}

/** V8 writes name and message as they were at construction; both may have changed since. */
function splitStack(error: Error): [headline: string, frames: readonly string[]] {
  const stack = cut(shownStack(String(error.stack ?? '')), MAX_STACK)
  const message = cut(String(error.message))
  const at = stack.search(/^ {4}at /m)
  const frames = at === -1 ? [] : stack.slice(at).split('\n')
  const ours = frames.filter((frame) => !frame.includes('node:internal/'))
  const headline = message === '' ? error.name : `${error.name}: ${message}`
  return [headline, (ours.length > 0 ? ours : frames).map((frame) => frame.trim())]
}
