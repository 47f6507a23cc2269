import { MacroExpander } from './macros.ts'
import { parseNatively } from './native.ts'
import { MACRO_TABLE, MacroNotes } from './notes.ts'
import { settingsOf, type ParseOptions } from './options.ts'
import { Parser } from './parser.ts'

/**
 * The value of a JSON5 text.
 *
 * Macros are active when the root object has a member `$MACRO$`, or `macros`, `env` or `compat` are
 * given. Without them a `$` means nothing.
 *
 * @throws Json5xError for any text that has no value.
 * @throws RangeError or TypeError when an option cannot be.
 */
export function parse(text: string, options: ParseOptions = {}): unknown {
  if (typeof text !== 'string') throw new TypeError(`the text must be a string, not ${typeof text}`)
  const settings = settingsOf(options)
  const isActive =
    settings.macros !== undefined || settings.env !== undefined || settings.needsTable
  if (!isActive && !text.includes(MACRO_TABLE)) {
    const native = parseNatively(text, settings)
    if (native !== undefined) return native.value
    const value = new Parser(text, settings).document()
    // The name of the table may be written with escapes.
    if (!hasTable(value)) return value
  }
  const notes = new MacroNotes()
  const root = new Parser(text, settings, notes).document()
  if (!isActive && notes.tableOffset === undefined) return root
  return new MacroExpander(text, notes, settings).expand(root)
}

function hasTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MACRO_TABLE)
}
