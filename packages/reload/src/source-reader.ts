// Hot files read and rewritten: in this thread when they are first loaded, in another one for a reload.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { backgroundClock, type Clock } from './clock.ts'
import { ReloadError } from './errors.ts'
import type { ModuleCode } from './module-code.ts'
import { RewritingCache } from './rewriting-cache.ts'
import { RewritingThread } from './rewriting-thread.ts'
import type * as Rewriter from './transform.ts'

const require = createRequire(import.meta.url)
const CODE = new Set(['.ts', '.mts', '.js', '.mjs', '.tsx', '.jsx'])
const DATA = new Set(['.json', '.json5'])

export type Parsers = Readonly<Record<string, (text: string, file: string) => unknown>>

export interface ReadSource {
  readonly hash: string
  readonly code: ModuleCode
}

export const isDataFile = (file: string): boolean => DATA.has(extname(file))
export const isModuleFile = (file: string): boolean =>
  (CODE.has(extname(file)) || isDataFile(file)) && !file.endsWith('.d.ts')

export class SourceReader {
  readonly #cache = new RewritingCache()
  readonly #thread = new RewritingThread(backgroundClock)
  readonly #parsers: Parsers
  readonly #clock: Clock
  /** How long rewriting has taken in all. */
  transformMs = 0

  constructor(parsers: Parsers, clock: Clock) {
    this.#parsers = parsers
    this.#clock = clock
  }

  hash(text: string): string {
    return createHash('sha1').update(text).digest('hex')
  }

  /** Reads, strips and rewrites a file. */
  read(file: string, text: string = readFileSync(file, 'utf8')): ReadSource {
    const hash = this.hash(text)
    if (!isDataFile(file)) {
      const started = this.#clock.now()
      let code = this.#cache.read(file, text)
      if (code === undefined) {
        code = this.rewriter().transform(file, text)
        this.#cache.write(file, text, code)
      }
      this.transformMs += this.#clock.now() - started
      return { hash, code }
    }
    return { hash, code: dataCode(this.#parse(file, text)) }
  }

  /** The same, rewritten in a thread of its own. */
  async readAside(file: string, text: string): Promise<ReadSource> {
    if (isDataFile(file)) return this.read(file, text)
    const started = this.#clock.now()
    try {
      return { hash: this.hash(text), code: await this.#thread.rewrite(file, text) }
    } finally {
      this.transformMs += this.#clock.now() - started
    }
  }

  close(): void {
    this.#thread.close()
  }

  rewriter(): typeof Rewriter {
    return require(TRANSFORM) as typeof Rewriter
  }

  #parse(file: string, text: string): unknown {
    const extension = extname(file)
    const parser = this.#parsers[extension]
    try {
      if (parser !== undefined) return parser(text, file)
      if (extension === '.json') return JSON.parse(text)
      const json5x = require('@rts/json5x') as { parse(text: string, options?: object): unknown }
      return json5x.parse(text, { filename: file })
    } catch (error) {
      const { line, column } = error as { line?: number; column?: number }
      throw new ReloadError(
        'RELOAD_SYNTAX',
        (error as Error).message,
        { file, ...(line !== undefined && { line }), ...(column !== undefined && { column }) },
        { cause: error },
      )
    }
  }
}

/** The rewriter in its own file beside this one, loaded when the first module is: source and build differ in its name. */
const TRANSFORM: string = import.meta.url.endsWith('.ts') ? './transform.ts' : './transform.js'

function dataCode(value: unknown): ModuleCode {
  return {
    code: `__x["default"] = ${dataText(value)}`,
    mappings: '',
    requests: [],
    attributes: [],
    requestLines: [],
    imports: [],
    exports: ['default'],
    stars: [],
    classes: new Map(),
    functions: new Map(),
    copied: [],
  }
}

/** Data as an expression: JSON, and what JSON5 adds to it. */
function dataText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dataText).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, one]) => `[${JSON.stringify(key)}]: ${dataText(one)}`,
    )
    return `{ ${entries.join(', ')} }`
  }
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  return JSON.stringify(value) ?? 'undefined'
}
