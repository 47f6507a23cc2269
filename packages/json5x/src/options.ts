/** Where a macro's name leads: anything that JSON5 can say. */
export type MacroValue =
  | string
  | number
  | boolean
  | null
  | readonly MacroValue[]
  | { readonly [name: string]: MacroValue }

export interface ParseOptions {
  /** Shown in errors, in the form `filename:line:column`. */
  readonly filename?: string
  /** What a key that stands twice in one object does: an error, or the last one wins. @defaultValue 'error' */
  readonly duplicateKeys?: 'error' | 'last'
  /** How deep objects and arrays may nest, from 1 to 1000. @defaultValue 128 */
  readonly maxDepth?: number
  /**
   * Macros from the caller. They win over the document's own table, make references active in a
   * document without one, and are inserted as they are: a `$` inside them means nothing.
   */
  readonly macros?: Readonly<Record<string, MacroValue>>
  /**
   * What `$env.NAME$` may read, always as text: name what you allow, as in
   * `{ PORT: process.env.PORT }`. Without it `env` is a name like any other.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** What a reference to an unknown name without a default does. @defaultValue 'error' */
  readonly onUnknown?: 'error' | 'keep'
  /** Leaves `$MACRO$`, with its entries resolved, in the result. @defaultValue false */
  readonly keepMacroTable?: boolean
  /** `'enhanced-json'`: the table is required and kept, and unknown names stay as they are. */
  readonly compat?: 'enhanced-json'
  /** Characters that macros may add to the result, from 1. @defaultValue 16777216 */
  readonly maxExpansion?: number
}

export interface ParseSettings {
  readonly filename: string | undefined
  readonly allowsDuplicates: boolean
  readonly maxDepth: number
  readonly macros: Readonly<Record<string, MacroValue>> | undefined
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly keepsUnknown: boolean
  readonly keepsTable: boolean
  readonly needsTable: boolean
  readonly maxExpansion: number
}

const DEFAULT_MAX_DEPTH = 128
const HIGHEST_MAX_DEPTH = 1000
const DEFAULT_MAX_EXPANSION = 16 * 1024 * 1024
const MACRO_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

export function isMacroName(name: string): boolean {
  return MACRO_NAME.test(name)
}

/** @throws RangeError or TypeError naming the field that cannot be. */
export function settingsOf(options: ParseOptions): ParseSettings {
  const { maxDepth = DEFAULT_MAX_DEPTH, maxExpansion = DEFAULT_MAX_EXPANSION } = options
  const isEnhancedJson = oneOf('compat', options.compat, ['enhanced-json']) !== undefined
  checkMacros(options.macros)
  return {
    filename: options.filename,
    allowsDuplicates: oneOf('duplicateKeys', options.duplicateKeys, ['error', 'last']) === 'last',
    maxDepth: whole('maxDepth', maxDepth, HIGHEST_MAX_DEPTH),
    macros: options.macros,
    env: options.env,
    keepsUnknown:
      isEnhancedJson || oneOf('onUnknown', options.onUnknown, ['error', 'keep']) === 'keep',
    keepsTable: isEnhancedJson || options.keepMacroTable === true,
    needsTable: isEnhancedJson,
    maxExpansion: whole('maxExpansion', maxExpansion, Number.MAX_SAFE_INTEGER),
  }
}

function whole(field: string, value: number, highest: number): number {
  if (!Number.isInteger(value) || value < 1 || value > highest)
    throw new RangeError(`${field} must be a whole number from 1 to ${highest}, not ${value}`)
  return value
}

function oneOf<T extends string>(
  field: string,
  value: T | undefined,
  known: readonly T[],
): T | undefined {
  if (value !== undefined && !known.includes(value))
    throw new RangeError(`${field} must be one of ${known.join(', ')}, not ${String(value)}`)
  return value
}

function checkMacros(macros: ParseOptions['macros']): void {
  for (const [name, value] of Object.entries(macros ?? {})) {
    if (!isMacroName(name))
      throw new RangeError(`macros: "${name}" is no macro name: letters, digits and _, up to 64`)
    checkMacroValue(`macros.${name}`, value, HIGHEST_MAX_DEPTH)
  }
}

function checkMacroValue(where: string, value: unknown, depthLeft: number): void {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return
  const isPlain = typeof value === 'object' && (Array.isArray(value) || isPlainObject(value))
  if (!isPlain) throw new TypeError(`${where} must be a JSON value, not ${typeof value}`)
  if (depthLeft === 0) throw new RangeError(`${where} is nested too deeply, or in itself`)
  for (const [key, inner] of Object.entries(value))
    checkMacroValue(`${where}.${key}`, inner, depthLeft - 1)
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
