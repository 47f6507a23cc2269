import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { HotApp, native } from './hot-app.ts'

const COUNTER = `import { keep } from '@rts/reload'
import { by } from './step.ts'
export const state = keep('state', () => ({ n: 0 }))
export class Counter { #calls = 0; add() { this.#calls++; state.n += by(); return [state.n, this.#calls] } }
export const label = 'one'
`
const STEP = 'export function by(): number { return 1 }\n'

const open = (): Promise<HotApp> => HotApp.open({ 'counter.ts': COUNTER, 'step.ts': STEP })

describe('a reload that fails leaves everything as it was', () => {
  const cases: readonly (readonly [string, Record<string, string>, string, number])[] = [
    [
      'a syntax error',
      { 'step.ts': 'export const x = 1\nexport function by( {' },
      'RELOAD_SYNTAX',
      2,
    ],
    [
      'a throw at top level',
      { 'counter.ts': COUNTER.replace("'one'", '((): string => {\n throw new Error("no")\n})()') },
      'RELOAD_EVALUATION',
      6,
    ],
    [
      'a missing module',
      { 'counter.ts': `import './none.ts'\n${COUNTER}` },
      'RELOAD_MISSING_MODULE',
      1,
    ],
    [
      'a missing package',
      { 'counter.ts': `\nimport 'no-such-package'\n${COUNTER}` },
      'RELOAD_MISSING_MODULE',
      2,
    ],
    [
      'an export that others import and that is gone',
      { 'step.ts': 'export const other = 1' },
      'RELOAD_MISSING_EXPORT',
      2,
    ],
    [
      'an import that is not exported',
      { 'counter.ts': COUNTER.replace('{ by }', '{ by, no }') },
      'RELOAD_MISSING_EXPORT',
      2,
    ],
    [
      'a pattern that is none',
      { 'counter.ts': `${COUNTER}export const pattern = /(/\n` },
      'RELOAD_SYNTAX',
      6,
    ],
    ['a top-level await', { 'counter.ts': `${COUNTER}await 1\n` }, 'RELOAD_TOP_LEVEL_AWAIT', 6],
    [
      'a parent that is none',
      { 'counter.ts': COUNTER.replace('class Counter', 'class Counter extends (state as never)') },
      'RELOAD_EVALUATION',
      4,
    ],
    [
      'an onReload that throws',
      {
        'counter.ts': COUNTER.replace(
          'add()',
          'static onReload() { throw new Error("no") }\n add()',
        ),
      },
      'RELOAD_HOOK',
      4,
    ],
  ]
  it.each(cases)('%s', async (_, files, code, line) => {
    await using app = await open()
    const module = await app.import('counter.ts')
    const counter = new module.Counter()
    const before = Object.getOwnPropertyDescriptors(module.Counter.prototype)
    expect(counter.add()).toEqual([1, 1])
    const good = { 'counter.ts': COUNTER, 'step.ts': STEP }
    app.write(files)
    const report = await app.reloader.incremental()
    const file = app.path(
      Object.keys(files)[0] === 'step.ts' && code === 'RELOAD_MISSING_EXPORT'
        ? 'counter.ts'
        : Object.keys(files)[0]!,
    )
    expect(report.ok).toBe(false)
    expect(report.failure).toMatchObject({ code, place: { file, line } })
    expect(report.failure!.message).not.toBe('')
    expect(Object.getOwnPropertyDescriptors(module.Counter.prototype)).toEqual(before)
    expect(counter.add()).toEqual([2, 2])
    expect(new module.Counter().add()).toEqual([3, 1])
    expect([module.label, app.reloader.version, app.reloader.versionOf(counter)]).toEqual([
      'one',
      1,
      1,
    ])
    // And the next edit is found, whether it mends the file or not.
    expect((await app.reloader.incremental()).ok).toBe(false)
    expect((await app.edit(good)).files).toEqual([])
    await app.edit({ 'step.ts': STEP.replace('1', '10') })
    expect(counter.add()).toEqual([13, 3])
  })

  it('and static #private fields too, with decorators and without', async () => {
    const text = (n: number, end = ''): string => `
const same = (f: any, _: unknown) => f
export class Plain { static #n = ${n}; static next() { return (Plain.#n += 1) } static { Plain.next() } }
export class Marked { static #n = ${n}; @same static next() { return (Marked.#n += 1) } }
${end}`
    await using app = await HotApp.open({ 'm.ts': text(0) })
    const { Plain, Marked } = await app.import('m.ts')
    expect([Plain.next(), Marked.next()]).toEqual([2, 1])
    app.write({ 'm.ts': text(100, 'throw "not an error"') })
    const { ok, failure } = await app.reloader.incremental()
    expect([ok, failure]).toMatchObject([
      false,
      { code: 'RELOAD_EVALUATION', message: 'not an error', place: { file: app.path('m.ts') } },
    ])
    expect([Plain.next(), Marked.next()]).toEqual([3, 2])
    await app.edit({ 'm.ts': text(100) })
    expect([Plain.next(), Marked.next()]).toEqual([102, 101])
  })

  it('when the second of two modules throws, the first is undone', async () => {
    await using app = await open()
    const module = await app.import('counter.ts')
    const counter = new module.Counter()
    app.write({
      'step.ts': STEP.replace('1', '100'),
      'counter.ts': `${COUNTER}throw new Error('late')`,
    })
    expect((await app.reloader.incremental()).ok).toBe(false)
    expect(counter.add()).toEqual([1, 1])
  })

  it('when an edit arrives in the middle, what was read first is applied whole, the edit by the next reload', async () => {
    await using app = await open()
    const { Counter } = await app.import('counter.ts')
    const counter = new Counter()
    const undo = app.reloader.beforeReload(() =>
      app.write({ 'step.ts': STEP.replace('1', '1000') }),
    )
    const first = app.edit({ 'step.ts': STEP.replace('1', '10') })
    const second = app.reloader.full()
    await first
    undo()
    expect(counter.add()).toEqual([10, 1])
    await second
    expect(counter.add()).toEqual([1010, 2])
  })
})

describe('incremental', () => {
  it('reloads what changed, and importers only when the set of exports changed', async () => {
    await using app = await open()
    await app.import('counter.ts')
    const names = (report: { files: readonly { file: string; reason: string }[] }): string[] =>
      report.files.map(({ file, reason }) => `${reason} ${file.split('/').at(-1)}`)
    expect(names(await app.edit({ 'step.ts': STEP.replace('1', '2') }))).toEqual([
      'changed step.ts',
    ])
    expect(names(await app.edit({ 'step.ts': `${STEP}export const more = 1\n` }))).toEqual([
      'changed step.ts',
      'importer counter.ts',
    ])
    expect(names(await app.edit({}))).toEqual([])
  })

  it('loads files that are new, and data files', async () => {
    await using app = await HotApp.open(
      {
        'm.ts':
          'import data from "./d.json" with { type: "json" }\nimport five from "./d.json5"\nexport const get = () => [data.n, five.n]',
        'd.json': '{ "n": 1 }',
        'd.json5': '{ n: 1 }',
      },
      { parsers: { '.json5': (text) => ({ n: Number(/\d+/.exec(text)![0]) }) } },
    )
    const module = await app.import('m.ts')
    expect(module.get()).toEqual([1, 1])
    await app.edit({ 'd.json': '{ "n": 2 }', 'd.json5': '{ n: 3 }' })
    expect(module.get()).toEqual([2, 3])
    await app.edit({
      'm.ts':
        'import { f } from "./new/file.ts"\nimport { join } from "node:path"\nexport const get = () => f(join("a", "b"))',
      'new/file.ts': 'export const f = (x: string) => x + import.meta.filename.slice(-7)',
    })
    expect(module.get()).toBe('a/bfile.ts')
    await app.edit({ 'new/file.ts': 'export const f = (x: string) => x' })
    expect(module.get()).toBe('a/b')
  })

  it('handles cycles, re-exports, namespaces and assigned exports', async () => {
    await using app = await HotApp.open({
      'a.ts': `import { b } from './b.ts'\nexport const a = () => 'a' + b(false)\nexport let count = 0\nexport const bump = () => { count += 1 }`,
      'b.ts': `import { a } from './a.ts'\nexport function b(deep = true): string { return deep ? a() : 'b' }`,
      'all.ts': `export * from './a.ts'\nexport * as space from './b.ts'\nexport { b as renamed } from './b.ts'`,
      'user.ts': `import * as all from './all.ts'\nimport { count } from './all.ts'\nexport const use = () => [all.a(), all.space.b(), all.renamed(false), count, Object.keys(all).length]`,
    })
    const { use } = await app.import('user.ts')
    const { bump, ...rest } = await app.import('all.ts')
    bump()
    expect(use()).toEqual(['ab', 'ab', 'b', 1, 5])
    expect(rest.count).toBe(0)
    await app.edit({
      'b.ts': `import { a } from './a.ts'\nexport function b(deep = true): string { return deep ? a() : 'B' }`,
    })
    expect(use()).toEqual(['aB', 'aB', 'B', 1, 5])
  })
})

describe('full', () => {
  it('evaluates every module in order and finds every class current', async () => {
    await using app = await open()
    const { Counter } = await app.import('counter.ts')
    const counter = new Counter()
    counter.add()
    const report = await app.reloader.full()
    expect(report).toMatchObject({
      ok: true,
      verified: 1,
      kept: [`${app.path('counter.ts')}#state`],
    })
    expect(report.files.map(({ file }) => file)).toEqual([
      app.path('step.ts'),
      app.path('counter.ts'),
    ])
    expect(counter.add()).toEqual([2, 2])
  })
})

describe('history and rollback', () => {
  it('returns to the version before, again and again, and does not take the bad edit again', async () => {
    await using app = await open()
    const { Counter } = await app.import('counter.ts')
    const counter = new Counter()
    await app.edit({ 'step.ts': STEP.replace('1', '10') })
    await app.edit({ 'step.ts': STEP.replace('1', '100') })
    expect(app.reloader.history()).toHaveLength(2)
    expect(counter.add()).toEqual([100, 1])
    expect((await app.reloader.rollback()).ok).toBe(true)
    expect(counter.add()).toEqual([110, 2])
    expect((await app.reloader.incremental()).files).toEqual([])
    await app.reloader.rollback()
    expect(counter.add()).toEqual([111, 3])
    expect((await app.reloader.rollback()).failure).toMatchObject({
      code: 'RELOAD_NOTHING_TO_ROLL_BACK',
    })
    await app.edit({ 'step.ts': STEP.replace('1', '1000') })
    expect(counter.add()).toEqual([1111, 4])
  })
})

describe('around a reload', () => {
  it('hooks run before and after, and one that throws prevents it', async () => {
    await using app = await open()
    const { Counter } = await app.import('counter.ts')
    const told: unknown[] = []
    app.reloader.afterReload(({ ok }) => told.push(ok))
    const undo = app.reloader.beforeReload(({ kind, files }) => {
      told.push(kind, files.length)
      throw new Error('not now')
    })
    app.write({ 'step.ts': STEP.replace('1', '10') })
    expect((await app.reloader.incremental()).failure).toMatchObject({ code: 'RELOAD_HOOK' })
    undo()
    expect((await app.reloader.incremental()).ok).toBe(true)
    expect(told).toEqual(['incremental', 1, false, true])
    expect(new Counter().add()).toEqual([10, 1])
  })

  it('versions are told for files, classes, instances and functions', async () => {
    await using app = await open()
    const { Counter } = await app.import('counter.ts')
    const step = await app.import('step.ts')
    const counter = new Counter()
    await app.edit({ 'counter.ts': COUNTER.replace("'one'", "'two'") })
    const { reloader } = app
    expect(
      [app.path('counter.ts'), Counter, counter, step.by].map((one) => reloader.versionOf(one)),
    ).toEqual([2, 2, 2, 1])
    expect([reloader.version, reloader.versionOf({}), reloader.versionOf('/none.ts')]).toEqual([
      2,
      undefined,
      undefined,
    ])
  })

  it('a closed reloader reloads nothing more', async () => {
    const app = await open()
    await app.import('counter.ts')
    await app[Symbol.asyncDispose]()
    expect(existsSync(app.folder)).toBe(false)
    expect((await app.reloader.full()).failure).toMatchObject({ code: 'RELOAD_CLOSED' })
  })
})

describe('a hot file that was loaded before the reloader was made', () => {
  it('is found and told in every report', async () => {
    await using app = await HotApp.open({
      'early.ts': 'export const n = 1',
      'late.ts': 'export const n = 1',
    })
    app.reloader.close()
    await app.import('early.ts')
    using reloader = native.createReloader({ roots: [app.folder] })
    expect(reloader.loadedNatively).toEqual([app.path('early.ts')])
    await reloader.import(app.path('late.ts'))
    app.write({ 'early.ts': 'export const n = 2', 'late.ts': 'export const n = 2' })
    expect((await reloader.incremental()).warnings).toMatchObject([
      { kind: 'loaded-natively', file: app.path('early.ts') },
    ])
  })

  it('is imported by hot files as the native module that it is, before a reload and after', async () => {
    await using app = await HotApp.open({
      'early.ts': 'export const n = 1\nexport const f = () => n',
      'late.ts': 'import { f } from "./early.ts"\nexport const g = () => f()',
    })
    app.reloader.close()
    const early = await app.import('early.ts')
    using reloader = native.createReloader({ roots: [app.folder], detectNative: false })
    const late = await reloader.import<{ g(): number }>(app.path('late.ts'))
    expect(late.g()).toBe(1)
    expect(reloader.loadedNatively).toEqual([app.path('early.ts')])
    app.write({
      'early.ts': 'export const n = 2',
      'late.ts': 'import { f } from "./early.ts"\nexport const g = () => f() + 10',
    })
    const report = await reloader.incremental()
    expect(report.files.map(({ file }) => file)).toEqual([app.path('late.ts')])
    expect(report.warnings).toMatchObject([{ kind: 'loaded-natively', file: app.path('early.ts') }])
    expect([late.g(), early.f()]).toEqual([11, 1])
  })
})
