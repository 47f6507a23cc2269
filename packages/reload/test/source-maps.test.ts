import { describe, expect, it } from 'vitest'
import { INDEX, runProgram } from './child-process.ts'

const LIB = `export const fail = (error: Error): never => { throw error }
export const id = <T>(value: T): T => value
export const twice = (f: Function, _: unknown) => function (this: unknown, ...a: unknown[]) { return f.apply(this, a) }
`

/** Every function here throws; Node itself, which only strips types, says where. */
const PLAIN = `import { id } from './lib.ts'; const x = 1; export const first = (): never => { throw new Error(String(x)) }
interface Wide {
  n: number
}
export function second(wide: Wide = { n: id(2) }): never { id(wide.n); id(id(wide.n)); throw new Error('x') }
export default function (): never { throw new Error('x') }
export class A<T> {
  #n = 1
  static #s = 2
  get #g(): number { return id(this.#n) }
  #m(n: number): number { return n }
  third(): never { this.#n += id(1); this.#n++; this.#m(this.#g); throw new Error(\`\${this.#n} \${A.#s}\`) }
  fourth(other?: A<T>): never { id(other?.#n); if (#n in this) { [this.#n] = [id(1)]; throw new Error('x') } throw new Error('y') }
  static fifth(): never { return (id(A.#s), A.#fail(new Error('x'))) }
  static #fail(error: Error): never { throw error }
  sixth = (): never => { id(this.#n); throw new Error('x') }
}
export const thrown = { first, second: () => second(), third: () => new A().third(), fourth: () => new A().fourth(),
  fifth: () => A.fifth(), sixth: () => new A().sixth(), undef: () => id((undefined as never as A<1>)).third() }
`

/** Decorators and enums, which Node cannot run: the place is where the text says \`new Error\`. */
const LOWERED = `import { id, twice } from './lib.ts'
enum Kind { One = 1, Two }
function start(_: undefined, __: unknown) { return (v: number) => v + 100 }

interface Wide { n: number }
export class A {
  #x = 1
  @start y = 1
  @twice first(): number { id(this.#x); throw new Error('1') }

  @twice
  second(wide: Wide = { n: Kind.Two }): number {
    const text = \`a
    b\`; id(text); throw new Error('2')
  }
  third(): string { return id(this.#x) > 0 ? id((() => { throw new Error('3') })()) : '' }
}
const after = (): never => { throw new Error('4') }
export const thrown = { 1: () => new A().first(), 2: () => new A().second(), 3: () => new A().third(), 4: after }
`

const PLACES = `
export const places = (thrown: Record<string, () => unknown>, name = 'm.ts'): string[] =>
  Object.values(thrown).map((run) => {
    try { run() } catch (error) {
      return (error as Error).stack!.split('\\n').filter((line) => line.includes(name))
        .map((line) => line.replace(/^.*?(\\d+:\\d+)\\)?$/, '$1')).join(' ')
    }
    return 'nothing thrown'
  })
`

const MAIN = (options: string): string => `
import { createReloader } from '${INDEX}'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { places } from './places.ts'
const file = import.meta.dirname + '/app/m.ts'
const native = async () => {
  copyFileSync(file, import.meta.dirname + '/cold/m.ts')
  try { return places((await import('./cold/m.ts?' + Math.random())).thrown) } catch { return [] }
}
const before = await native()
const reloader = createReloader({ roots: [import.meta.dirname + '/app'], detectNative: false, ${options} })
const { thrown } = await import('./app/m.ts')
const hot = places(thrown)
writeFileSync(file, '\\n\\n' + readFileSync(file, 'utf8').replaceAll('; throw', ';  throw'))
const after = await native()
const report = await reloader.incremental()
const hotAfter = places((await import('./app/m.ts')).thrown)
writeFileSync(file, readFileSync(file, 'utf8').replace('export const thrown', 'const z = id(1); throw new Error("top"); export const thrown'))
const { failure } = await reloader.incremental()
const again = places((await import('./app/m.ts')).thrown)
console.log(JSON.stringify({ before, hot, ok: report.ok, after, hotAfter, again, place: failure.place, stack: failure.cause.stack.split('\\n')[1] }))
process.exit()
`

async function run(source: string, options = '', flags: string[] = []): Promise<Answer> {
  const { stdout, stderr } = await runProgram(
    {
      'main.ts': MAIN(options),
      'places.ts': PLACES,
      'app/lib.ts': LIB,
      'cold/lib.ts': LIB,
      'app/m.ts': source,
    },
    flags,
  )
  expect(stderr).toBe('')
  return JSON.parse(stdout) as Answer
}

interface Answer {
  before: string[]
  hot: string[]
  ok: boolean
  after: string[]
  hotAfter: string[]
  again: string[]
  place: { line: number; column: number }
  stack: string
}

describe('a stack trace', () => {
  it('names line and column of the source, every frame as Node itself does', async () => {
    const { before, hot, ok, after, hotAfter, again } = await run(PLAIN)
    expect(before).toHaveLength(7)
    expect(hot).toEqual(before)
    expect(ok).toBe(true)
    expect(hotAfter).toEqual(after)
    // After a reload that failed those of what runs.
    expect(again).toEqual(after)
  })

  it('does so where decorators and enums are lowered', async () => {
    const { hot, hotAfter, again } = await run(LOWERED)
    const marked = (text: string, moved: number): string[] =>
      ['1', '2', '3', '4'].map((name) => {
        const lines = text.split('\n')
        const line = lines.findIndex((one) => one.includes(`new Error('${name}')`))
        return `${line + 1 + moved}:${lines[line]!.indexOf('new Error') + 1}`
      })
    const own = (places: readonly string[]): string[] => places.map((one) => one.split(' ')[0]!)
    expect(own(hot)).toEqual(marked(LOWERED, 0))
    expect(own(hotAfter)).toEqual(marked(LOWERED.replaceAll('; throw', ';  throw'), 2))
    expect(again).toEqual(hotAfter)
  })

  it('names the right lines also where Node does not map stack traces', async () => {
    const lines = (places: readonly string[]): string[] =>
      places.map((one) => one.replaceAll(/:\d+/g, ''))
    const { before, hot, place, stack } = await run(PLAIN, 'sourceMaps: false')
    expect(lines(hot)).toEqual(lines(before))
    expect(hot).not.toEqual(before)
    // The report tells the column nonetheless.
    expect(place).toMatchObject({ line: 20, column: 24 })
    expect(stack).toMatch(/m\.ts:20:\d+\)$/)
    const flagged = await run(PLAIN, 'sourceMaps: false', ['--enable-source-maps'])
    expect(flagged.hot).toEqual(flagged.before)
  })

  it('keeps its lines where the process forbids evaluated code', async () => {
    const flags = ['--disallow-code-generation-from-strings']
    const { hot, before } = await run(PLAIN, '', flags)
    expect(hot.map((one) => one.split(':')[0])).toEqual(before.map((one) => one.split(':')[0]))
  })
})

describe('the report', () => {
  it('names line and column of what threw', async () => {
    const { place, stack } = await run(PLAIN)
    const text = `const z = id(1); throw new Error("top"); export`
    expect(place).toMatchObject({ line: 20, column: text.indexOf('new Error') + 1 })
    expect(stack).toMatch(/app\/m\.ts:20:24\)$/)
  })
})

const DEBUGGED = (n: number): string => `import { id } from './lib.ts'
export class Ship {
  #hp = ${n}
  hit(by: number): number {
    this.#hp -= id(by); const left = id(this.#hp)
    return left
  }
}
`

const DEBUGGER = `
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { parentPort, workerData } from 'node:worker_threads'
import { decodeMappings, sourcePosition } from '${INDEX.replace('index.ts', 'source-map.ts')}'
const session = new Session()
session.connectToMainThread()
const scripts = new Map()
session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params))
session.on('Debugger.paused', ({ params }) => {
  const { location: { scriptId, lineNumber, columnNumber } } = params.callFrames[0]
  const { url, sourceMapURL } = scripts.get(scriptId)
  const map = JSON.parse(Buffer.from(sourceMapURL.split('base64,')[1], 'base64').toString())
  const place = sourcePosition(decodeMappings(map.mappings), { line: lineNumber, column: columnNumber })
  const line = readFileSync(new URL(map.sources[0]), 'utf8').split('\\n')[place.line]
  const count = [...scripts.values()].filter((one) => one.url === workerData).length
  parentPort.postMessage({ hit: params.hitBreakpoints.length, url, source: map.sources[0], count, at: line.slice(place.column), line: place.line })
  session.post('Debugger.resume')
})
parentPort.on('message', () => {})
session.post('Debugger.enable')
session.post('Debugger.setBreakpointByUrl', { url: workerData, lineNumber: 4 }, () => parentPort.postMessage('ready'))
`

const DEBUGGED_MAIN = `
import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { createReloader } from '${INDEX}'
const file = import.meta.dirname + '/app/ship.ts'
const reloader = createReloader({ roots: [import.meta.dirname + '/app'] })
const { Ship } = await import('./app/ship.ts')
const ship = new Ship()
const debug = new Worker(new URL('debugger.ts', import.meta.url), { workerData: pathToFileURL(file).href })
await once(debug, 'message')
const stops: unknown[] = []
debug.on('message', (stop) => stops.push(stop))
const left = [ship.hit(1)]
writeFileSync(file, ${JSON.stringify(DEBUGGED(20).replace('this.#hp -=', 'this.#hp -= 2 *'))})
await reloader.incremental()
left.push(ship.hit(1))
while (stops.length < 2) await once(debug, 'message')
console.log(JSON.stringify({ left, stops }))
process.exit()
`

describe('a debugger', () => {
  it('finds the map in the script, and stops at a breakpoint by URL and line, after a reload too', async () => {
    const { stdout, stderr, folder } = await runProgram({
      'main.ts': DEBUGGED_MAIN,
      'debugger.ts': DEBUGGER,
      'app/lib.ts': LIB,
      'app/ship.ts': DEBUGGED(10),
    })
    expect(stderr.replace('Waiting for the debugger to disconnect...', '').trim()).toBe('')
    const { left, stops } = JSON.parse(stdout) as { left: number[]; stops: object[] }
    const url = `file://${folder}/app/ship.ts`
    expect(left).toEqual([9, 7])
    const stop = { hit: 1, url, source: url, line: 4 }
    expect(stops).toEqual([
      { ...stop, count: 1, at: 'this.#hp -= id(by); const left = id(this.#hp)' },
      { ...stop, count: 2, at: 'this.#hp -= 2 * id(by); const left = id(this.#hp)' },
    ])
  })
})
