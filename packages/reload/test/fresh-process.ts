// A restart: loads a generated program with Node alone, gives it the state of another process and says what it does.
// Run as a process of its own or as a worker thread, which has its own isolate, globals and module graph, and so
// shares with a process that starts anew everything that a program can observe.
import { readFileSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type * as Esbuild from 'esbuild'
import { parse } from '../../json5x/src/index.ts'
import { type Namespaces, type SavedState, Surroundings, load, observe } from './app-observer.ts'

export interface FreshRequest {
  readonly folder: string
  readonly state: SavedState
}

const OWN = new URL('../src/module-context.ts', import.meta.url).href

/** What Node cannot load by itself: decorators and json5. Nothing of the runner takes part. */
function readForeign(folderUrl: string): void {
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '@rts/reload'
        ? { url: OWN, format: 'module-typescript', shortCircuit: true }
        : nextResolve(specifier, context),
    load: (url, context, nextLoad) => {
      if (!url.startsWith(folderUrl)) return nextLoad(url, context)
      const text = url.endsWith('.json') ? '' : readFileSync(new URL(url), 'utf8')
      if (url.endsWith('.json5'))
        return {
          format: 'module',
          source: `export default ${literal(parse(text))}`,
          shortCircuit: true,
        }
      if (!text.includes('@plus')) return nextLoad(url, context)
      const { transformSync } = createRequire(import.meta.url)('esbuild') as typeof Esbuild
      const { code } = transformSync(text, {
        loader: 'ts',
        target: 'es2024',
        supported: { decorators: false, 'import-attributes': true },
        keepNames: true,
        tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      })
      return { format: 'module', source: code, shortCircuit: true }
    },
  })
}

const literal = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (one === Infinity ? '∞' : one)).replaceAll(
    '"∞"',
    'Infinity',
  )

async function answer({ folder, state }: FreshRequest): Promise<Record<string, unknown>> {
  const folderUrl = pathToFileURL(folder).href
  readForeign(folderUrl)
  const surroundings = new Surroundings()
  Object.assign(globalThis, { rtsTestApp: () => surroundings })
  const root = (await import(`${folderUrl}/root.ts`)) as {
    modules(): Namespaces
    all(): Record<string, unknown>
  }
  const modules = root.modules()
  return observe(modules, root.all(), load(modules, state), surroundings)
}

if (isMainThread) {
  const request = JSON.parse(readFileSync(0, 'utf8')) as FreshRequest
  process.stdout.write(JSON.stringify(await answer(request)))
} else parentPort!.postMessage(await answer(workerData as FreshRequest), [])
