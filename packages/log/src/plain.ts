/** What a log writes of a value at most. Beyond, it says how much is missing. */
const MAX_TEXT = 8192
const MAX_ENTRIES = 100
const MAX_DEPTH = 6
/** Values of one line together. */
const MAX_VALUES = 1000

const REDACTED = '<redacted>'

/** The names, in lower case, of what is never written. */
export type Redacted = ReadonlySet<string>

export function redactedNames(names: readonly string[]): Redacted {
  return new Set(names.map((name) => name.toLowerCase()))
}

/**
 * A copy of fields that can be written: without secrets, functions and circles, bounded in size, and
 * no longer the caller's. Never throws, whatever the getters in it do.
 *
 * @param owners - The names and the objects to read them from.
 */
export function plainFields(
  owners: ReadonlyMap<string, object>,
  redacted: Redacted,
): Record<string, unknown> {
  const read = (name: string): unknown => (owners.get(name) as Record<string, unknown>)[name]
  return new Plainer(redacted).members([...owners.keys()], read, 0)
}

export function plainValue(value: unknown, redacted: Redacted): unknown {
  return new Plainer(redacted).value(value, 0)
}

class Plainer {
  readonly #redacted: Redacted
  readonly #open: unknown[] = []
  #valuesLeft = MAX_VALUES

  constructor(redacted: Redacted) {
    this.#redacted = redacted
  }

  value(value: unknown, depth: number): unknown {
    this.#valuesLeft -= 1
    switch (typeof value) {
      case 'string':
        return cut(value)
      case 'number':
        return Number.isFinite(value) ? value : String(value)
      case 'boolean':
        return value
      case 'bigint':
        return `${value}n`
      case 'object':
        return value === null ? null : this.#object(value, depth)
      case 'function':
        return `<function ${value.name}>`
      default:
        return String(value)
    }
  }

  members(
    keys: readonly string[],
    read: (key: string) => unknown,
    depth: number,
  ): Record<string, unknown> {
    const copy: Record<string, unknown> = Object.create(null)
    for (const [index, key] of keys.entries()) {
      if (index === MAX_ENTRIES || this.#valuesLeft <= 0) {
        copy['…'] = `${keys.length - index} more`
        break
      }
      if (this.#redacted.has(key.toLowerCase())) copy[key] = REDACTED
      else {
        const value = attempt(() => read(key))
        if (value !== undefined) copy[key] = this.value(value, depth)
      }
    }
    return copy
  }

  #object(value: object, depth: number): unknown {
    if (this.#open.includes(value)) return '<circular>'
    this.#open.push(value)
    const copy = attempt(() => this.#container(value, depth + 1))
    this.#open.pop()
    return copy
  }

  #container(value: object, depth: number): unknown {
    if (value instanceof Date)
      return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
    if (value instanceof URL) return cut(value.href)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
      return `<${value.byteLength} bytes>`
    if (depth > MAX_DEPTH) return Array.isArray(value) ? '<array>' : '<object>'
    if (Array.isArray(value)) return this.#list(value, depth)
    if (value instanceof Set) return this.#list([...value], depth)
    if (value instanceof Map) {
      const entries = new Map([...value].map(([key, inner]) => [String(key), inner]))
      return this.members([...entries.keys()], (key) => entries.get(key), depth)
    }
    const source = value as Record<string, unknown>
    const keys = Object.keys(source)
    // What tells an error is not enumerable.
    if (value instanceof Error) keys.unshift('name', 'message')
    return this.members([...new Set(keys)], (key) => source[key], depth)
  }

  #list(values: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = []
    for (const [index, value] of values.entries()) {
      if (index === MAX_ENTRIES || this.#valuesLeft <= 0) {
        copy.push(`${values.length - index} more`)
        break
      }
      copy.push(this.value(value, depth))
    }
    return copy
  }
}

export function cut(text: string, limit: number = MAX_TEXT): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… ${text.length - limit} more`
}

function attempt(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return '<unreadable>'
  }
}
