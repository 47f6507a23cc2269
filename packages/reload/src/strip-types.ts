// TypeScript to JavaScript: Node's own type stripping, which keeps every line and column where it is;
// esbuild for what that cannot do (decorators, enums, JSX).
import { createRequire, stripTypeScriptTypes } from 'node:module'
import type * as Esbuild from 'esbuild'
import { ReloadError } from './errors.ts'
import { type Mappings, decodeMappings } from './source-map.ts'
import { checkSyntax } from './syntax.ts'

const require = createRequire(import.meta.url)
const NEEDS_LOWERING =
  /(?:^|[\s({;])@[A-Za-z_$][\w$.]*|\b(?:enum|namespace)\s+[A-Za-z_$]|\bconstructor\s*\([^)]*\b(?:public|private|protected|readonly)\s/m

/** esbuild's test of private members: an instance from before a member existed shall pass it. */
const ACCESS_CHECK = /^var __accessCheck = .*member\.has\(obj\) \|\|/m
/** esbuild's way to give an object a private member: a class that is defined anew has its static ones already. */
const PRIVATE_ADD = /^var __privateAdd = \(obj, member, value\) => member\.has\(obj\)/m
/** Where esbuild puts a decorated member: an accessor shall be as hidden from `for in` as any member of a class. */
const DEFINE_MEMBER = 'desc && __defProp(target, name, desc)'
/** esbuild gives a decorated default class without a name an empty one. */
const UNNAMED_CLASS = /(__decorateElement\(_init\d*, 0, )""/

interface Lowered {
  readonly code: string
  /** Where each part of `code` was in the source. Absent when everything is where it was. */
  readonly mappings?: Mappings
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
      supported: { decorators: false, using: true, 'import-attributes': true },
      format: 'esm',
      sourcemap: 'external',
      legalComments: 'none',
      logLevel: 'silent',
      tsconfigRaw: {
        compilerOptions: { verbatimModuleSyntax: true, useDefineForClassFields: true },
      },
    })
    return {
      code: code
        .replace(ACCESS_CHECK, '$& __hot.adopt(member, obj) ||')
        .replace(DEFINE_MEMBER, 'desc && __defProp(target, name, { ...desc, enumerable: false })')
        .replace(UNNAMED_CLASS, '$1"default"')
        .replace(PRIVATE_ADD, '$& && !__hot.defined(member, obj)'),
      mappings: decodeMappings((JSON.parse(map) as { mappings: string }).mappings),
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
