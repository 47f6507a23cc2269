// Which source map is in force for each hot file: for the places of our reports, and for Node's stack traces.
import { getSourceMapsSupport, setSourceMapsSupport } from 'node:module'
import type { Place } from './errors.ts'
import { decodeMappings, mapComment, mapText, sourcePosition } from './source-map.ts'

export class SourceMaps {
  readonly #mappings = new Map<string, string>()

  /** Has Node map the stack traces of the process, generated code included. */
  static enable(): void {
    const { enabled, nodeModules } = getSourceMapsSupport()
    setSourceMapsSupport(true, { nodeModules: enabled && nodeModules, generatedCode: true })
  }

  /** The mappings of what runs under this URL from now on. */
  set(url: string, mappings: string): void {
    if (this.#mappings.get(url) === mappings) return
    this.#mappings.set(url, mappings)
    if (mappings !== '' && getSourceMapsSupport().generatedCode) announce(url, mappings)
  }

  get(url: string): string {
    return this.#mappings.get(url) ?? ''
  }

  /** The place in the source for one that a stack trace names: Node may have mapped it already. */
  trace(url: string, place: Place): Place {
    const mappings = this.#mappings.get(url)
    if (process.sourceMapsEnabled || mappings === undefined || place.line === undefined)
      return place
    const { file, line, column = 1 } = place
    const source = sourcePosition(decodeMappings(mappings), { line: line - 1, column: column - 1 })
    return source === undefined ? place : { file, line: source.line + 1, column: source.column + 1 }
  }
}

/**
 * Node knows the source maps of modules and of evaluated code, not those of `vm.compileFunction` (nodejs/node#52102).
 * Evaluated code may name another URL as its own: so an empty function brings the map of a file's newest version. The
 * names stand in a string, where Node finds them and a debugger does not: for that one the script has no URL.
 */
function announce(url: string, mappings: string): void {
  try {
    const text = `${mapComment(mapText(url, mappings))} //# ${'sourceURL'}=${url} `
    // eslint-disable-next-line no-new-func -- it holds nothing to run
    void new Function(`void ${JSON.stringify(text)}`)
  } catch {
    // The process forbids evaluated code: stack traces keep their lines, with columns of the rewritten code.
  }
}
