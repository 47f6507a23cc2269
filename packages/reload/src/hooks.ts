// The entry from native modules: a hot file is loaded as a stand-in that imports what the file imports, hands itself
// to the runner and exports live bindings that the runner sets.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { ModuleCode } from './module-code.ts'
import type { NativeSide } from './module-slot.ts'
import type { Runner } from './runner.ts'
import { isDataFile } from './source-reader.ts'

/** How a stand-in finds its runner: generated code has no other way in. */
const RUNNERS: unique symbol = Symbol.for('@rts/reload/runners') as never
const DEPENDENCIES = 'rts-reload-imports='

/** A hot module's '@rts/reload' is the copy that runs it. */
const OWN_URL = new URL(
  import.meta.url.endsWith('.ts') ? './index.ts' : './index.js',
  import.meta.url,
).href

interface Shared {
  [RUNNERS]?: Map<number, (...args: never[]) => void> & { last?: number }
}

interface Wanted {
  readonly specifier: string
  readonly attributes: string
}

export class NativeHooks {
  readonly #runner: Runner
  readonly #id: number
  readonly #wanted = new Map<string, readonly Wanted[]>()
  readonly #arrived = new Map<string, { namespaces: readonly object[]; native: NativeSide }>()
  readonly #undo: () => void
  #serial = 0

  constructor(runner: Runner) {
    this.#runner = runner
    const shared = globalThis as unknown as Shared
    const runners = (shared[RUNNERS] ??= new Map())
    this.#id = runners.last = (runners.last ?? 0) + 1
    runners.set(this.#id, (url: string, namespaces: readonly object[], native: NativeSide) => {
      if (url.includes(DEPENDENCIES)) this.#arrived.set(url, { namespaces, native })
      else this.#runner.start(url, namespaces, native)
    })
    const hooks = registerHooks({
      resolve: (specifier, context, nextResolve) => {
        const result =
          specifier === '@rts/reload' && this.#isHotUrl(context.parentURL)
            ? { url: OWN_URL, format: 'module', shortCircuit: true }
            : nextResolve(specifier, context)
        this.#note(context.parentURL, specifier, result.url)
        return result
      },
      load: (url, context, nextLoad) => {
        const source = this.#source(url, context.importAttributes?.['type'] !== undefined)
        if (source === undefined) return nextLoad(url, context)
        return { format: 'module', source, shortCircuit: true }
      },
    })
    this.#undo = () => {
      hooks.deregister()
      runners.delete(this.#id)
    }
  }

  close(): void {
    this.#undo()
  }

  /** Loads native modules as a hot file would import them. */
  async load(
    url: string,
    wanted: readonly Wanted[],
  ): Promise<{ namespaces: readonly object[]; native: NativeSide }> {
    this.#serial += 1
    const own = `${url}?${DEPENDENCIES}${this.#id}-${this.#serial}`
    this.#wanted.set(own, wanted)
    try {
      await import(own)
      return this.#arrived.get(own)!
    } finally {
      this.#wanted.delete(own)
      this.#arrived.delete(own)
    }
  }

  #isHotUrl(url: string | undefined): boolean {
    return url?.startsWith('file:') === true && this.#runner.isHot(fileURLToPath(url))
  }

  #note(parent: string | undefined, specifier: string, url: string): void {
    if (!url.startsWith('file:')) return
    if (parent === undefined) {
      if (this.#isHotUrl(url)) this.#runner.entries.add(url)
      return
    }
    const parentFile = parent.startsWith('file:') ? fileURLToPath(parent) : ''
    const from = parent.split('?')[0]!
    if (this.#runner.slots.has(from)) this.#runner.resolved.set(`${from}\n${specifier}`, url)
    if (url.includes('?') || !this.#runner.isHot(fileURLToPath(url))) return
    if (this.#runner.isHot(parentFile)) return
    const importers = this.#runner.coldImporters.get(url) ?? new Set()
    importers.add(parent)
    this.#runner.coldImporters.set(url, importers)
  }

  #source(url: string, hasType: boolean): string | undefined {
    if (!url.startsWith('file:')) return undefined
    const wanted = this.#wanted.get(url)
    if (wanted !== undefined) return this.#standIn(url, wanted, [], [])
    if (url.includes('?')) return undefined
    const file = fileURLToPath(url)
    if (!this.#runner.isHot(file) || (hasType && isDataFile(file))) return undefined
    const slot = this.#runner.slot(url)
    const code = slot.isEvaluated ? slot.current!.code : this.#runner.pend(slot)
    return this.#standIn(url, this.#requests(url, code), code.exports, code.stars)
  }

  #requests(url: string, code: ModuleCode): (Wanted | undefined)[] {
    const slot = this.#runner.slot(url)
    return code.requests.map((specifier, index) => {
      const hot = this.#runner.hotTarget(slot, specifier)
      if (hot !== undefined && isDataFile(fileURLToPath(hot))) return undefined
      return { specifier, attributes: code.attributes[index]! }
    })
  }

  #standIn(
    url: string,
    requests: readonly (Wanted | undefined)[],
    names: readonly string[],
    stars: readonly number[],
  ): string {
    const lines: string[] = []
    for (const [index, wanted] of requests.entries()) {
      if (wanted === undefined) continue
      const from = `${JSON.stringify(wanted.specifier)}${wanted.attributes}`
      lines.push(`import * as n${index} from ${from}`)
      if (stars.includes(index)) lines.push(`export * from ${from}`)
    }
    for (const [index, name] of names.entries())
      lines.push(`let e${index}; export { e${index} as ${JSON.stringify(name)} }`)
    const namespaces = requests.map((wanted, index) =>
      wanted === undefined ? 'undefined' : `n${index}`,
    )
    const setters = names.map(
      (name, index) => `[${JSON.stringify(name)}]: (v) => { e${index} = v }`,
    )
    lines.push(
      `globalThis[Symbol.for('@rts/reload/runners')].get(${this.#id})(${JSON.stringify(url)}, [${namespaces.join(', ')}], ` +
        `{ meta: import.meta, import: (s, o) => import(s, o), setters: { ${setters.join(', ')} } })`,
    )
    // Under a name of its own: stacks and debuggers shall find only the hot code under the file's.
    lines.push(`//# sourceURL=rts-reload://stand-in${new URL(url).pathname}`)
    return lines.join('\n')
  }
}
