// Standard decorators, lowered: the same program through TypeScript's compiler says what is right.
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { HotApp } from './hot-app.ts'

const PROGRAM = (n: number): string => `
const log: unknown[] = []
;(Symbol as any).metadata ??= Symbol.for('Symbol.metadata')
const note = (tag: string) => (value: any, context: any): any => {
  const { kind, name, access, metadata } = context
  log.push([tag, kind, String(name), context.static ?? null, context.private ?? null, Object.keys(access ?? {}).sort().join(), typeof value])
  metadata[tag] = (metadata[tag] ?? 0) + ${n}
  context.addInitializer?.(function (this: any) { log.push(['init', tag, typeof this]) })
  if (kind === 'field') return (first: number) => first + ${n}
  if (kind === 'accessor') return { get(this: any) { return value.get.call(this) * 2 }, set(this: any, to: number) { value.set.call(this, to + 1) }, init: (first: number) => first + ${n} }
  if (kind === 'class') return undefined
  return function (this: any, ...args: any[]) { return ['d', tag, value.apply(this, args)] }
}
const key = 'computed'
class Base { who() { return 'base' } static base = 1 }
@note('class2') @note('class1')
export class A extends Base {
  @note('field') x = 1
  @note('private field') #y = 2
  @note('static field') static z = 3
  @note('static private field') static #w = 4
  @note('accessor') accessor a = 5
  @note('static accessor') static accessor b = 6
  @note('private accessor') accessor #c = 7
  @note('method') @note('method too') m(v: number) { return v + this.#y + ${n} }
  @note('private method') #p() { return this.#c }
  @note('static method') static s() { return this.z + A.#w }
  @note('getter') get g() { return this.#p() }
  @note('setter') set g(to) { this.#y = to as never }
  @note('computed') [key]() { return super.who() }
  static { log.push(['static block', this.z, A.s()]) }
  plain = this.x + this.a
}
@note('unnamed')
export default class {
  @note('of unnamed') m() { return ${n} }
}
export const Expression = @note('expression') class { @note('of expression') m() { return ${n} } }
export const run = (): unknown => {
  const a = new A() as any
  a.a = 10
  a.g = 20
  return JSON.parse(JSON.stringify({
    // The name that a class without one has in its context differs: "default" here, "default_1" there.
    log: log.map((entry: any) => entry[0] === 'unnamed' && entry[1] === 'class' ? [] : entry), made: [a.x, a.plain, a.a, a.g, a.m(1), a.computed()],
    statics: [A.z, A.b, A.s(), A.name, Object.keys(A)],
    metadata: [(A as any)[(Symbol as any).metadata], Object.getOwnPropertyNames(A.prototype).sort()],
    others: [new Expression().m(), Expression.name],
  }))
}
`

interface Program {
  run(): { log: unknown[][] }
  A: new () => { g: unknown }
  default: { new (): { m(): unknown }; readonly name: string }
}

async function expected(app: HotApp, n: number): Promise<ReturnType<Program['run']>> {
  const { outputText } = ts.transpileModule(PROGRAM(n), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  app.write({ [`compiled-${n}.mjs`]: outputText })
  return ((await app.import(`compiled-${n}.mjs`)) as Program).run()
}

it('mean what TypeScript says: class, method, accessor, field, static, private, computed, metadata', async () => {
  await using app = await HotApp.open(
    { 'm.ts': PROGRAM(1) },
    { exclude: (file) => file.endsWith('.mjs') },
  )
  const program = (await app.import('m.ts')) as Program
  const first = program.run()
  expect(first.log.length).toBeGreaterThan(30)
  expect(first).toEqual(await expected(app, 1))
  expect([program.default.name, new program.default().m()]).toEqual([
    'default',
    ['d', 'of unnamed', 1],
  ])

  const { A } = program
  const report = await app.edit({ 'm.ts': PROGRAM(2) })
  expect(report.files).toMatchObject([{ file: join(app.folder, 'm.ts'), version: 2 }])
  expect(program.run()).toEqual(await expected(app, 2))
  expect(program.A).toBe(A)
  expect(new program.default().m()).toEqual(['d', 'of unnamed', 2])
})
