// What a module may contain, and what native code around it sees.
import { describe, expect, it } from 'vitest'
import { INDEX, runProgram } from './child-process.ts'
import { HotApp } from './hot-app.ts'

describe('a hot module', () => {
  it('has import.meta, and imports dynamically what is newest', async () => {
    await using app = await HotApp.open({
      'deep/m.ts': `export const meta = () => [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve('./n.ts')]
export const lazy = () => import('./n.ts').then(({ n }) => n())
export const given = async (name: string) => (await import(name)).join('a', 'b')`,
      'deep/n.ts': 'export const n = () => 1',
    })
    const module = await app.import('deep/m.ts')
    const url = `file://${app.path('deep/m.ts')}`
    expect(module.meta()).toEqual([
      url,
      app.path('deep/m.ts'),
      app.path('deep'),
      `file://${app.path('deep/n.ts')}`,
    ])
    expect([await module.lazy(), await module.given('node:path')]).toEqual([1, 'a/b'])
    await app.edit({ 'deep/n.ts': 'export const n = () => 2' })
    expect(await module.lazy()).toBe(2)
    // Still imported, though by no statement: it is not swept as unused.
    const report = await app.edit({ 'deep/m.ts': 'export const lazy = () => import("./n.ts")' })
    expect(report.warnings).toEqual([])
    expect((await module.lazy()).n()).toBe(2)
  })

  it('has live bindings: importers see an export that is assigned later, in cycles too', async () => {
    await using app = await HotApp.open({
      'a.ts': `import { late } from './b.ts'
export let count = 0
export const bump = (by = 1) => { count += by }
export function peek(): number { return late() }`,
      'b.ts': `import { count, peek } from './a.ts'
export const late = () => count
export const both = () => [count, peek()]`,
    })
    const b = await app.import('b.ts')
    const a = await app.import('a.ts')
    a.bump()
    a.bump(4)
    expect([b.both(), a.count]).toEqual([[5, 5], 5])
    await app.edit({
      'b.ts': `import { count, peek } from './a.ts'
export const late = () => count * 10
export const both = () => [count, peek()]`,
    })
    expect(b.both()).toEqual([5, 50])
  })

  it('keeps the receiver away from imported functions, and names of functions and classes', async () => {
    await using app = await HotApp.open({
      'lib.ts': `export function self(this: unknown) { return this === undefined }
export default class {}
export const arrow = () => {}
export class Named { static make = () => 1 }`,
      'm.ts': `import Default, { self, arrow, Named } from './lib.ts'
import * as lib from './lib.ts'
export const answers = () => [self(), self\`\`, lib.self(), Default.name, arrow.name, Named.name, Named.make.name]`,
    })
    const { answers } = await app.import('m.ts')
    expect(answers()).toEqual([true, true, false, 'default', 'arrow', 'Named', 'make'])
  })

  it('that no import leads to any more is swept and told; it begins anew when one leads there again', async () => {
    const used = `import { on } from './part.ts'\nexport const state = () => on()`
    await using app = await HotApp.open({
      'm.ts': used,
      'part.ts': `import { keep, onDispose, scope } from '@rts/reload'
export class Part { f() { return 1 } }
export const parts = keep('parts', () => [] as Part[])
parts.push(new Part())
globalThis.rtsLog = (globalThis.rtsLog ?? []).concat('begins')
scope.use(() => globalThis.rtsLog.push('undone'))
onDispose(() => globalThis.rtsLog.push('disposed'))
export const on = () => parts`,
    })
    const { state } = await app.import('m.ts')
    const [part] = state()
    const { rtsLog: log } = globalThis as unknown as { rtsLog: string[] }
    const report = await app.edit({ 'm.ts': 'export const state = () => []' })
    expect(report.warnings).toMatchObject([{ kind: 'module-unused', file: app.path('part.ts') }])
    expect(log).toEqual(['begins', 'disposed', 'undone'])
    expect(app.reloader.files).toEqual([app.path('m.ts')])
    expect(part.f()).toBe(1)
    await app.edit({
      'm.ts': used,
      'part.ts': `import { keep } from '@rts/reload'
export class Part { f() { return 2 } }
export const on = () => keep('parts', () => [])`,
    })
    expect([part.f(), state()]).toEqual([2, [part]])
    // And a rollback brings back what an edit had left without use.
    await app.reloader.rollback()
    expect(app.reloader.files).toEqual([app.path('m.ts')])
    await app.reloader.rollback()
    expect(app.reloader.files).toHaveLength(2)
  })

  it('tells names that native importers cannot see, and which those are', async () => {
    const { stdout } = await runProgram({
      'main.ts': `
import { writeFileSync } from 'node:fs'
import { createReloader } from '${INDEX}'
const reloader = createReloader({ roots: [import.meta.dirname + '/app'] })
const cold = await import('./cold.ts')
writeFileSync(import.meta.dirname + '/app/m.ts', 'export let n = 2; export const more = 1; export const f = () => n')
const { warnings } = await reloader.incremental()
console.log(JSON.stringify([cold.read(), warnings, reloader.nativeImporters()]))
process.exit()`,
      'cold.ts': `import { n, f } from './app/m.ts'\nexport const read = () => [n, f()]`,
      'app/m.ts': 'export let n = 1; export const f = () => n',
    })
    const [read, warnings, importers] = JSON.parse(stdout) as [unknown, object[], object[]]
    expect(read).toEqual([2, 2])
    expect(warnings).toMatchObject([
      { kind: 'native-importer', file: expect.stringMatching(/m\.ts$/) },
    ])
    expect(warnings[0]).toMatchObject({ message: expect.stringMatching(/cold\.ts.*"more"/) })
    expect(importers).toMatchObject([{ importers: [expect.stringMatching(/cold\.ts$/)] }])
  })
})

describe('data', () => {
  it('is read by JSON.parse and @rts/json5x by default, and an error in it names the place', async () => {
    const { stdout, stderr } = await runProgram({
      'main.ts': `
import { writeFileSync } from 'node:fs'
import { createReloader } from '${INDEX}'
const at = (name: string) => import.meta.dirname + '/app/' + name
const reloader = createReloader({ roots: [at('')] })
const { read } = await import('./app/m.ts')
const seen = [read()]
writeFileSync(at('five.json5'), '{ n: 0x20, /* more */ list: [1,], }')
writeFileSync(at('four.json'), '{ "n": -0 }')
const { ok, files } = await reloader.incremental()
seen.push(ok, files.length, read())
writeFileSync(at('five.json5'), '{\\n  n: 1,\\n  m: ]\\n}')
seen.push((await reloader.incremental()).failure.place)
writeFileSync(at('five.json5'), '{}')
writeFileSync(at('four.json'), '{\\n "n": }')
const { failure } = await reloader.incremental()
seen.push([failure.code, failure.place.file], read())
console.log(JSON.stringify(seen))
process.exit()`,
      'app/m.ts': `import four from './four.json' with { type: 'json' }
import five from './five.json5'
export const read = () => [Object.is(four.n, -0), five.n, five.list]`,
      'app/four.json': '{ "n": 4 }',
      'app/five.json5': '// five\n{ n: +5, list: [], }',
    })
    expect(stderr).toBe('')
    const seen = JSON.parse(stdout) as unknown[]
    expect(seen.slice(0, 4)).toEqual([[false, 5, []], true, 2, [true, 32, [1]]])
    expect(seen[4]).toMatchObject({
      file: expect.stringMatching(/five\.json5$/),
      line: 3,
      column: 6,
    })
    expect(seen[5]).toEqual(['RELOAD_SYNTAX', expect.stringMatching(/four\.json$/)])
    expect(seen[6]).toEqual([true, 32, [1]])
  })
})
