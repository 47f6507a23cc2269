import type { ListOptions, SaveRequest } from './entity-store.ts'

// What callers pass to any store, checked the same way in each.

const MAX_NAME_LENGTH = 256
const MAX_LIST = 10_000

/** @throws TypeError or RangeError for a name that not every store could keep as it is. */
export function checkName(field: 'type' | 'id', name: string): void {
  if (typeof name !== 'string') throw new TypeError(`${field} must be a string, not ${typeof name}`)
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    throw new RangeError(`${field} must be 1 to ${MAX_NAME_LENGTH} long, not ${name.length}`)
  }
  checkText(field, name)
}

function checkText(field: string, text: string): void {
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new RangeError(`${field} must be well-formed text without NUL: ${JSON.stringify(text)}`)
  }
}

/** @throws RangeError when the value is not a whole number from `least` to `most`. */
export function checkWhole(
  field: string,
  value: number,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new RangeError(`${field} must be a whole number from ${least} to ${most}, not ${value}`)
  }
  return value
}

export function checkRequest(request: SaveRequest): void {
  checkName('type', request.type)
  checkName('id', request.id)
  checkWhole('version', request.version)
  checkWhole('fence', request.fence)
}

export function checkList(type: string, { limit, prefix, after }: ListOptions): void {
  checkName('type', type)
  checkWhole('limit', limit, 1, MAX_LIST)
  if (prefix !== undefined) checkText('prefix', prefix)
  if (after !== undefined) checkText('after', after)
}
