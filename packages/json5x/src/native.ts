import { BACKSLASH, COLON, QUOTE } from './characters.ts'
import { MACRO_TABLE } from './notes.ts'
import type { ParseSettings } from './options.ts'

/** Comments mostly begin at the top; looking further would cost more than a failed try. */
const SNIFF_CHARACTERS = 1024
const NO_JSON = /\/\/|\/\*|'/

/**
 * The value of a strict JSON text by `JSON.parse`, which is several times faster than any parser
 * written in JavaScript; undefined when the text is something else, or when our rules might see an
 * error or macros in it that `JSON.parse` does not.
 */
export function parseNatively(
  text: string,
  settings: ParseSettings,
): { readonly value: unknown } | undefined {
  if (NO_JSON.test(text.slice(0, SNIFF_CHARACTERS))) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return { value }
  if (Object.hasOwn(value, MACRO_TABLE)) return undefined
  const keys = countKeys(value, settings.maxDepth)
  if (keys === undefined) return undefined
  // Where a key stands twice, the text has more of them than the value.
  if (!settings.allowsDuplicates && keys !== countColons(text)) return undefined
  return { value }
}

/** Keys of all objects together; undefined when the value is deeper than allowed. */
function countKeys(container: object, depthLeft: number): number | undefined {
  if (depthLeft === 0) return undefined
  let keys = 0
  const values: readonly unknown[] = Array.isArray(container) ? container : Object.values(container)
  if (!Array.isArray(container)) keys = values.length
  for (const value of values) {
    if (typeof value !== 'object' || value === null) continue
    const inside = countKeys(value, depthLeft - 1)
    if (inside === undefined) return undefined
    keys += inside
  }
  return keys
}

/** Colons outside strings, in a text that is known to be JSON. */
function countColons(text: string): number {
  let colons = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === COLON) colons += 1
    else if (code === QUOTE) at = endOfString(text, at)
  }
  return colons
}

function endOfString(text: string, start: number): number {
  let end = start
  let isEscaped: boolean
  do {
    end = text.indexOf('"', end + 1)
    isEscaped = false
    for (let at = end - 1; text.charCodeAt(at) === BACKSLASH; at -= 1) isEscaped = !isEscaped
  } while (isEscaped)
  return end
}
