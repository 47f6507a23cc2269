// TypeScript to JavaScript: Node's own type stripping, which keeps every line and column where it is;
// esbuild for what that cannot do (decorators, enums, JSX).
import { createRequire, stripTypeScriptTypes } from 'node:module'
import type * as Esbuild from 'esbuild'
import { ReloadError } from './errors.ts'
import { checkSyntax } from './syntax.ts'

const require = createRequire(import.meta.url)
const NEEDS_LOWERING =
  /(?:^|[\s({;])@[A-Za-z_$][\w$.]*|\b(?:enum|namespace)\s+[A-Za-z_$]|\bconstructor\s*\([^)]*\b(?:public|private|protected|readonly)\s/m

/** esbuild's test of private members: an instance from before a member existed shall pass it. */
const ACCESS_CHECK = /^var __accessCheck = .*member\.has\(obj\) \|\|/m

interface Lowered {
  readonly code: string
  /** For each line of `code`, from 0, the line of the source, from 0. Absent when they are the same. */
  readonly lines?: readonly (number | undefined)[]
}

/** Removes the types of a source text and lowers its decorators. */
export function stripTypes(file: string, source: string): Lowered {
  const isTypeScript = /\.[cm]?tsx?$/.test(file)
  const mayNeedLowering = NEEDS_LOWERING.test(source) || /\.[jt]sx$/.test(file)
  if (!isTypeScript && !mayNeedLowering) return { code: source }
  if (!mayNeedLowering) {
    try {
      return { code: quietly(() => stripTypeScriptTypes(source)) }
    } catch {
      // Either it is wrong, and the parser says where at once, or it is more than types, and esbuild knows it.
      checkSyntax(file, source)
    }
  }
  return lower(file, source)
}

function lower(file: string, source: string): Lowered {
  const { transformSync } = require('esbuild') as typeof Esbuild
  try {
    const { code, map } = transformSync(source, {
      loader: file.endsWith('x') ? 'tsx' : 'ts',
      sourcefile: file,
      target: 'es2024',
      supported: { decorators: false, using: true },
      format: 'esm',
      sourcemap: 'external',
      legalComments: 'none',
      logLevel: 'silent',
      tsconfigRaw: {
        compilerOptions: { verbatimModuleSyntax: true, useDefineForClassFields: true },
      },
    })
    return {
      code: code.replace(ACCESS_CHECK, '$& __hot.adopt(member, obj) ||'),
      lines: sourceLines((JSON.parse(map) as { mappings: string }).mappings),
    }
  } catch (error) {
    const first = (error as { errors?: { text: string; location?: Location | null }[] }).errors?.[0]
    if (first === undefined) throw error
    const { location } = first
    throw new ReloadError(
      'RELOAD_SYNTAX',
      first.text,
      { file, ...(location && { line: location.line, column: location.column + 1 }) },
      { cause: error },
    )
  }
}

interface Location {
  readonly line: number
  readonly column: number
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** The source line of each generated line, from a source map's mappings. */
function sourceLines(mappings: string): (number | undefined)[] {
  let line = 0
  return mappings.split(';').map((segments) => {
    let first: number | undefined
    for (const segment of segments.split(',')) {
      const fields = decodeVlq(segment)
      if (fields.length < 4) continue
      line += fields[2]!
      first ??= line
    }
    return first
  })
}

function decodeVlq(text: string): number[] {
  const values: number[] = []
  let value = 0
  let shift = 0
  for (const character of text) {
    const digit = DIGITS.indexOf(character)
    value += (digit & 31) << shift
    shift += 5
    if (digit & 32) continue
    values.push(value & 1 ? -(value >> 1) : value >> 1)
    value = 0
    shift = 0
  }
  return values
}

/** Node tells once that its type stripping is experimental; it does the same stripping itself at each start. */
function quietly<R>(run: () => R): R {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return run()
  } finally {
    process.emitWarning = emitWarning
  }
}
