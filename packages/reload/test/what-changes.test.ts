// Details of the lines of the README's table, for objects that were there before the reload.
import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { HotApp } from './hot-app.ts'

// eslint-disable-next-line typescript/no-explicit-any -- what a module written as text exports
type Exports = any

/** Loads version 1, lets `before` take what it wants from it, reloads version 2. */
async function across<T>(
  one: string,
  two: string,
  before: (module: Exports) => T,
): Promise<{
  module: Exports
  held: T
  app: HotApp
  report: Awaited<ReturnType<HotApp['edit']>>
}> {
  const app = await HotApp.open({ 'm.ts': one })
  const module = await app.import('m.ts')
  const held = before(module)
  const report = await app.edit({ 'm.ts': two })
  return { module, held, app, report }
}

describe('an instance from before', () => {
  it('has the new method', async () => {
    const { held } = await across(
      'export class A { f(): number { return 1 } }',
      'export class A { f(): number { return 2 } }',
      ({ A }) => new A(),
    )
    expect(held.f()).toBe(2)
  })

  it('has the new getter and setter', async () => {
    const { held } = await across(
      'export class A { x = 3; get y() { return this.x } set y(v) { this.x = v } }',
      'export class A { x = 3; get y() { return this.x * 10 } set y(v) { this.x = v + 1 } }',
      ({ A }) => new A(),
    )
    expect(held.y).toBe(30)
    held.y = 4
    expect(held.y).toBe(50)
  })

  it('gets methods that are new and loses those that are gone', async () => {
    const { held, report } = await across(
      'export class A { old() { return 1 } }',
      'export class A { fresh() { return 2 } }',
      ({ A }) => new A(),
    )
    expect(held.fresh()).toBe(2)
    expect('old' in held).toBe(false)
    expect(report.classes[0]).toMatchObject({ name: 'A', added: ['fresh'], removed: ['old'] })
  })

  it('is an instance of the class that importers know, and so is a new one', async () => {
    const { held, module } = await across(
      'export class A { n = 1 }',
      'export class A { n = 2 }',
      ({ A }) => ({ A, a: new A() }),
    )
    expect(module.A).toBe(held.A)
    expect(held.a).toBeInstanceOf(module.A)
    expect(held.a.n).toBe(1)
    expect(new held.A().n).toBe(2)
    expect(new held.A().constructor).toBe(held.A)
    expect(held.A.name).toBe('A')
  })
})

describe('#private members of an instance from before', () => {
  it('are read, written, counted and tested by the new methods', async () => {
    const { held } = await across(
      'export class A { #x = 5; get() { return this.#x } }',
      `export class A { #x = 7
        get() { return this.#x }
        all(o: A) { this.#x += 1; this.#x++; const before = this.#x--; o.#x ??= 3; o?.#x; [o.#x] = [this.#x * 2]; return [before, this.#x, #x in o, #x in {}] } }`,
      ({ A }) => new A(),
    )
    expect(held.get()).toBe(5)
    expect(held.all(held)).toEqual([7, 12, true, false])
  })

  it('include methods, accessors and statics', async () => {
    const { held, module } = await across(
      `export class A { static #n = 1; #m() { return 1 } get #g() { return 10 } static #s() { return 100 }
        sum() { return this.#m() + this.#g + A.#s() + A.#n } }`,
      `export class A { static #n = 2; #m() { return 3 } get #g() { return 20 } static #s() { return 200 }
        sum() { return this.#m() + this.#g + A.#s() + A.#n } }`,
      ({ A }) => new A(),
    )
    expect(held.sum()).toBe(225)
    expect(new module.A().sum()).toBe(225)
  })

  it('that are new begin as undefined and can be set', async () => {
    const { held } = await across(
      'export class A { x = 1 }',
      'export class A { x = 1; #later = 9; set(v: number) { const before = this.#later; this.#later = v; return [before, this.#later] } }',
      ({ A }) => new A(),
    )
    expect(held.set(4)).toEqual([undefined, 4])
  })

  it('stay hidden from everyone else and refuse strangers', async () => {
    const { held, module } = await across(
      'export class A { #x = 1; read(o: A) { return o.#x } }',
      'export class A { #x = 1; read(o: A) { return o.#x + 1 } }',
      ({ A }) => new A(),
    )
    expect(Reflect.ownKeys(new module.A())).toEqual([])
    expect(held.read(new module.A())).toBe(2)
    expect(() => held.read({})).toThrow(TypeError)
  })
})

describe('a class', () => {
  it('has its new static methods and re-run static fields, and hands the old ones to onReload', async () => {
    const { held } = await across(
      'export class A { static made = 0; static of() { A.made++; return new A() } }',
      `export class A { static made = 0; static of() { A.made += 10; return new A() }
        static onReload(previous: { made: number }) { this.made = previous.made } }`,
      ({ A }) => {
        A.of()
        return A
      },
    )
    expect(held.made).toBe(1)
    held.of()
    expect(held.made).toBe(11)
  })

  it('reaches instances of its subclasses in other modules', async () => {
    await using app = await HotApp.open({
      'base.ts': 'export class Base { who() { return "base" } }',
      'sub.ts': `import { Base } from './base.ts'
export class Sub extends Base { override who() { return 'sub of ' + super.who() } }`,
    })
    const { Sub } = await app.import('sub.ts')
    const sub = new Sub()
    await app.edit({ 'base.ts': 'export class Base { who() { return "new base" } }' })
    expect(sub.who()).toBe('sub of new base')
    expect(new Sub().who()).toBe('sub of new base')
  })

  it('can get another parent', async () => {
    const { held, module, report } = await across(
      `class P { x = 1; who() { return 'p' } }
class Q { y = 2; who() { return 'q' } }
export class A extends P { override who() { return 'a' + super.who() } }`,
      `class P { x = 1; who() { return 'p' } }
class Q { y = 2; who() { return 'q' } }
export class A extends Q { override who() { return 'A' + super.who() } }`,
      ({ A }) => new A(),
    )
    expect(held.who()).toBe('Aq')
    expect(held).toMatchObject({ x: 1 })
    expect(new module.A()).toMatchObject({ y: 2 })
    expect(report.warnings).toMatchObject([{ kind: 'parent-changed', line: 3 }])
    expect(report.classes.find(({ name }) => name === 'A')).toMatchObject({ parentChanged: true })
  })

  it('runs its new constructor once, with the arguments, new.target and subclasses right', async () => {
    const { module, held } = await across(
      'export class A { log: unknown[] = []; constructor(a: number) { this.log.push(a, new.target.name) } }\nexport class B extends A { b = 1 }',
      'let made = 0\nconst count = () => ++made\nexport class A { id = count(); log: unknown[] = []; constructor(a: number, b = 2) { this.log.push("new", a, b, new.target.name) } }\nexport class B extends A { b = 3 }',
      ({ A, B }) => ({ A, B }),
    )
    expect(new held.A(1)).toMatchObject({ id: 1, log: ['new', 1, 2, 'A'] })
    expect(new held.B(5)).toMatchObject({ id: 2, log: ['new', 5, 2, 'B'], b: 3 })
    expect(new module.B(1)).toBeInstanceOf(held.A)
  })

  it('keeps a parent made by an expression while the expression is the same', async () => {
    const source = (n: number): string => `const bases: unknown[] = []
const mixin = keep('mixin', () => (tag: string) => class { tag = tag })
import { keep } from '@rts/reload'
export class A extends mixin('t') { f() { return ${n} } }`
    const { held, module } = await across(source(1), source(2), ({ A }) => ({
      a: new A(),
      parent: Object.getPrototypeOf(A),
    }))
    expect(held.a.f()).toBe(2)
    expect(Object.getPrototypeOf(module.A)).toBe(held.parent)
  })
})

describe('a function', () => {
  it('called through an import is the newest', async () => {
    await using app = await HotApp.open({
      'rule.ts': 'export const f = (): number => 1\nexport default function () { return 1 }',
      'user.ts': `import d, { f } from './rule.ts'
import * as rule from './rule.ts'
export const use = () => [f(), rule.f(), d()]`,
    })
    const { use } = await app.import('user.ts')
    await app.edit({
      'rule.ts': 'export const f = (): number => 2\nexport default function () { return 2 }',
    })
    expect(use()).toEqual([2, 2, 2])
  })

  it('held by reference stays old, and the report says where', async () => {
    await using app = await HotApp.open({
      'rule.ts': 'export const f = (): number => 1',
      'user.ts': `import { f } from './rule.ts'
export const table = { f }`,
    })
    const { table } = await app.import('user.ts')
    const report = await app.edit({ 'rule.ts': 'export const f = (): number => 2' })
    expect(table.f()).toBe(1)
    expect(report.warnings).toMatchObject([
      { kind: 'copied-export', file: app.path('user.ts'), line: 2 },
    ])
  })

  it('taken through a namespace, by a field or by a module that is reloaded too, is warned of', async () => {
    await using app = await HotApp.open({
      'rule.ts': 'export const f = (): number => 1',
      'user.ts': `import * as rule from './rule.ts'
import { f } from './rule.ts'
export class Holder {
  f = f
  called = f()
}
export const make = () => ({ f: rule.f })
export const top = rule.f`,
    })
    const { make, Holder } = await app.import('user.ts')
    const held = [make(), new Holder()]
    const lines = ({ warnings }: { warnings: readonly { kind: string; line?: number }[] }) =>
      warnings.map(({ kind, line }) => `${kind} ${line}`)
    const report = await app.edit({ 'rule.ts': 'export const f = (): number => 2' })
    expect(lines(report)).toEqual(['copied-export 4', 'copied-export 7', 'copied-export 8'])
    expect(held.map((one) => one.f())).toEqual([1, 1])
    app.write({ 'rule.ts': 'export const f = (): number => 3' })
    // What is taken at the top level is taken anew by a full reload.
    expect(lines(await app.reloader.full())).toEqual(['copied-export 4', 'copied-export 7'])
  })

  it('is not warned of when an edit leaves it as it was; a table of constants neither', async () => {
    const rule = (edit: string): string => `export const f = (): number => 1
export const IDLE = { turn: 0, keys: ['a'] }
export const registry: string[] = []
${edit}`
    await using app = await HotApp.open({
      'rule.ts': rule(''),
      'user.ts': `import { f, IDLE, registry } from './rule.ts'
export const held = [f, IDLE]
export const names = registry`,
    })
    await app.import('user.ts')
    const report = await app.edit({ 'rule.ts': rule('const unused = 1') })
    // A list that is filled by others is another list now.
    expect(report.warnings).toMatchObject([{ kind: 'copied-export', line: 3 }])
    const changed = await app.edit({ 'rule.ts': rule('').replace('turn: 0', 'turn: 1') })
    expect(changed.warnings).toMatchObject([{ line: 2 }, { line: 3 }])
  })

  it('a constant that is counted with is read anew and not warned of; one that is stored is', async () => {
    await using app = await HotApp.open({
      'rule.ts': 'export const POINTS = 1',
      'user.ts': `import { POINTS } from './rule.ts'
export const score = { sum: 0, last: 0 }
export const add = () => { score.sum += POINTS }
export const note = () => { score.last = POINTS }`,
    })
    const { score, add } = await app.import('user.ts')
    add()
    const report = await app.edit({ 'rule.ts': 'export const POINTS = 10' })
    add()
    expect(score.sum).toBe(11)
    expect(report.warnings).toMatchObject([{ kind: 'copied-export', line: 4 }])
  })

  it('bound to an instance stays old; an arrow that calls the method is new', async () => {
    const { held } = await across(
      'export class A { f() { return 1 } bound = this.f.bind(this); arrow = () => this.f() }',
      'export class A { f() { return 2 } bound = this.f.bind(this); arrow = () => this.f() }',
      ({ A }) => new A(),
    )
    expect(held.bound()).toBe(1)
    expect(held.arrow()).toBe(2)
  })

  it('that is suspended ends on the code it began with, calls newest methods, and the report says so', async () => {
    const source = (n: number): string =>
      `export class A { step() { return ${n} } async run(gate: Promise<void>) { await gate; return [this.step(), ${n}] } }`
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    const { held, report } = await across(source(1), source(2), ({ A }) => new A().run(gate))
    open()
    expect(await held).toEqual([2, 1])
    expect(report.warnings).toMatchObject([{ kind: 'suspended', line: 1 }])
  })
})

describe('timers and listeners', () => {
  it('registered through the scope run the new code, once', async () => {
    const emitter = new EventEmitter()
    Object.assign(globalThis, { testEmitter: emitter })
    const source = (n: number): string => `import { scope, onDispose } from '@rts/reload'
export const heard: number[] = []
scope.on(globalThis.testEmitter, 'x', (log: number[]) => log.push(${n}))
onDispose(() => globalThis.testEmitter.emit('disposed', ${n}))`
    const disposed: number[] = []
    emitter.on('disposed', (n: number) => disposed.push(n))
    await across(source(1), source(2), () => {})
    const log: number[] = []
    emitter.emit('x', log)
    expect(log).toEqual([2])
    expect(emitter.listenerCount('x')).toBe(1)
    expect(disposed).toEqual([1])
  })

  it('of an instance that call its method run the new one', async () => {
    const emitter = new EventEmitter()
    const { held } = await across(
      'export class A { n = 0; listen(e: any) { e.on("x", () => this.add()) } add() { this.n += 1 } }',
      'export class A { n = 0; listen(e: any) { e.on("x", () => this.add()) } add() { this.n += 10 } }',
      ({ A }) => {
        const a = new A()
        a.listen(emitter)
        return a
      },
    )
    emitter.emit('x')
    expect(held.n).toBe(10)
  })
})

describe('decorators', () => {
  const source = (n: number): string => `
const twice = (f: Function, _: unknown) => function (this: unknown, ...a: unknown[]) { return 2 * f.apply(this, a) }
function start(_: undefined, __: unknown) { return (v: number) => v + 100 }
export class A {
  #x = 1
  @start y = 1
  @twice f(): number { return this.#x + ${n} }
  where(): string { throw new Error('here') }
}`

  it('are lowered; decorated methods and private members of old instances work in the new version', async () => {
    const { held, module } = await across(source(1), source(10), ({ A }) => {
      const a = new A()
      expect(a.f()).toBe(4)
      expect(a.y).toBe(101)
      return a
    })
    expect(held.f()).toBe(22)
    expect(new module.A().f()).toBe(22)
  })

  it('leave lines where they are, for stack traces', async () => {
    const { held } = await across(source(1), source(2), ({ A }) => new A())
    let stack = ''
    try {
      held.where()
    } catch (error) {
      stack = (error as Error).stack!
    }
    expect(stack).toMatch(/m\.ts:8:/)
  })
})

describe('a field', () => {
  it('with another initialiser keeps its value in old instances, and the report says where', async () => {
    const { held, module, report } = await across(
      'export class A { hp = 10 }',
      'export class A {\n  hp = 20\n  mana = 5\n}',
      ({ A }) => new A(),
    )
    expect(held).toEqual({ hp: 10 })
    expect(new module.A()).toEqual({ hp: 20, mana: 5 })
    expect(report.warnings).toMatchObject([
      { kind: 'field-initialiser', line: 2 },
      { kind: 'field-added', line: 3 },
    ])
  })

  it('can be brought up to date by onReload, also when the class had none before', async () => {
    const { held, report } = await across(
      'export class A { hp = 10 }\nexport class B extends A {}',
      'export class A { hp = 20; mana = 5; onReload() { this.mana ??= 5; this.hp *= 2 } }\nexport class B extends A {}',
      ({ A, B }) => [new A(), new B()],
    )
    expect(held).toEqual([
      { hp: 20, mana: 5 },
      { hp: 20, mana: 5 },
    ])
    expect(report.classes.find(({ name }) => name === 'A')!.instances).toBe(2)
  })
})

describe('state of a module', () => {
  it('is kept where it is marked and re-run where it is not', async () => {
    const source = (n: number): string => `import { keep } from '@rts/reload'
export const kept = keep('kept', () => new Map<string, number>())
export const fresh = new Map<string, number>()
export const n = ${n}`
    const { module, report, app } = await across(source(1), source(2), ({ kept, fresh }) => {
      kept.set('a', 1)
      fresh.set('a', 1)
    })
    expect([module.kept.size, module.fresh.size, module.n]).toEqual([1, 0, 2])
    expect(report.kept).toEqual([`${app.path('m.ts')}#kept`])
  })
})
