// The table of what a reload changes: for each thing that was there before (rows), what each way of changing the code
// does to it (columns). Details of single lines are in `what-changes.test.ts`; RPC handlers, which need `@rts/rpc`, in
// `examples/hello-reload/test`.
import { EventEmitter } from 'node:events'
import { SteppedClock } from '@rts/testing'
import { afterAll, describe, it } from 'vitest'
import { FidelityRow, type Row, WAYS } from './fidelity-table.ts'

const ECS = new URL('../../ecs/src/index.ts', import.meta.url).href
const old = (before: number): number => before
const everywhere = (sees: (before: number, now: number) => unknown): NonNullable<Row['sees']> =>
  Object.fromEntries(WAYS.map((way) => [way, sees]))

const clock = new SteppedClock()
const emitter = new EventEmitter()
Object.assign(globalThis, { rtsTestEmitter: emitter })

const heard = (): number[] => {
  const log: number[] = []
  emitter.emit('x', log)
  return log
}

interface Gate<T> {
  readonly open: () => void
  readonly done: Promise<T>
}

const gated = <T>(run: (gate: Promise<void>) => Promise<T>): Gate<T> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: resolve, done: run(promise) }
}

const ROWS: readonly Row[] = [
  {
    name: 'instances: a method of one from before is new',
    source: (n) => `export class A { x = 1; f() { return ${n} } }`,
    take: ({ A }) => new A(),
    see: (a) => a.f(),
  },
  {
    name: 'getters and setters are new',
    source: (n) =>
      `export class A { x = 0; get y() { return this.x + ${n} } set y(v) { this.x = v * ${n} } }`,
    take: ({ A }) => new A(),
    see: (a) => {
      const first = a.y
      a.y = 1
      return a.y === first * 2 ? first : [first, a.y]
    },
  },
  {
    name: 'static methods and accessors are new',
    source: (n) => `export class A { static f() { return ${n} } static get g() { return ${n} } }`,
    take: ({ A }) => A,
    see: (A) => (A.f() === A.g ? A.f() : [A.f(), A.g]),
  },
  {
    name: 'static fields and blocks are run again by a reload, not by a live edit',
    source: (n) => `export class A { static x = ${n}; static y = 0; static { this.y = ${n} } }`,
    take: ({ A }) => A,
    see: (A) => (A.x === A.y ? A.x : [A.x, A.y]),
    sees: { 'live edit': old },
  },
  {
    name: 'field initialisers: an instance from before keeps its value, a new one has the new',
    source: (n) => `export class A { x = ${n} }`,
    take: ({ A }) => new A(),
    see: (a, { A }) => [a.x, new A().x],
    sees: { ...everywhere((before, now) => [before, now]), 'live edit': () => [3, 3] },
    warns: ['field-initialiser'],
    liveStatus: 'BlockedByTopLevelChange',
  },
  {
    name: 'subclasses in another module inherit what is new',
    source: (n) => `export class Base { f() { return ${n} } }`,
    beside: { 'sub.ts': `import { Base } from './m.ts'\nexport class Sub extends Base {}` },
    take: ({ Sub }) => new Sub(),
    see: (sub) => sub.f(),
  },
  {
    name: 'super reaches what is new',
    source: (n) => `export class Base { f() { return ${n} } static s() { return ${n} } }`,
    beside: {
      'sub.ts': `import { Base } from './m.ts'
export class Sub extends Base { override f() { return super.f() * 10 } static override s() { return super.s() * 10 } }`,
    },
    take: ({ Sub }) => new Sub(),
    see: (sub) => (sub.f() === sub.constructor.s() ? sub.f() / 10 : 'differ'),
  },
  {
    name: '#private fields stay, and new code reads them; #private methods are new',
    source: (
      n,
    ) => `export class A { #x = 0; #add() { this.#x += ${n}; return this.#x - ${n} } static #s() { return ${n} }
  f() { const before = this.#x; return this.#add() === before && #x in this ? A.#s() : 'lost' } }`,
    take: ({ A }) => {
      const a = new A()
      a.f()
      return a
    },
    see: (a) => a.f(),
  },
  {
    name: 'bound methods stay old after a reload and are new after a live edit',
    source: (n) => `export class A { f() { return ${n} } bound = this.f.bind(this) }`,
    take: ({ A }) => new A().bound,
    see: (bound) => bound(),
    sees: { incremental: old, full: old, rollback: old },
  },
  {
    name: 'a function held by reference stays old, and the report says where',
    source: (n) => `export function f() { return ${n} }`,
    beside: {
      'sub.ts': `import { f } from './m.ts'\nexport const make = () => ({ f })\nexport const call = () => f()`,
    },
    take: ({ make }) => make(),
    see: ({ f }, { call }) => [f(), call()],
    sees: {
      ...everywhere((before, now) => [before, now]),
      'live edit': (_, now) => [now, now],
    },
    warns: ['copied-export'],
  },
  {
    name: 'timers of the scope run the new code, once',
    source: (n) => `import { scope } from '@rts/reload'
export const log = []
scope.setInterval(() => globalThis.rtsTestEmitter.emit('tick', ${n}), 10)`,
    options: { clock, between: (apply) => apply() },
    take: () => {
      const ticks: number[] = []
      emitter.removeAllListeners('tick').on('tick', (n: number) => ticks.push(n))
      return ticks
    },
    see: async (ticks) => {
      await clock.advance(10)
      return ticks.length === 1 ? ticks[0] : ticks
    },
  },
  {
    name: 'listeners of the scope run the new code, once',
    source: (n) => `import { scope } from '@rts/reload'
scope.on(globalThis.rtsTestEmitter, 'x', (log: number[]) => log.push(${n}))`,
    take: () => {},
    see: () => (heard().length === 1 ? heard()[0] : heard()),
  },
  {
    name: 'listeners of an instance that call its method run the new one',
    source: (n) =>
      `export class A { n = 0; start(e: any) { e.on('x', (log: number[]) => log.push(this.f())) } f() { return ${n} } }`,
    take: ({ A }) => {
      emitter.removeAllListeners('x')
      new A().start(emitter)
    },
    see: () => heard()[0],
  },
  {
    name: 'suspended async functions end on their old code and call what is new',
    source: (n) =>
      `export class A { f() { return ${n} } async run(gate: Promise<void>) { await gate; return [${n}, this.f()] } }`,
    take: ({ A }) => gated((gate) => new A().run(gate)),
    see: ({ open, done }: Gate<number[]>) => {
      open()
      return done
    },
    sees: {
      ...everywhere((before, now) => [before, now]),
      'live edit': (before) => [before, before],
    },
    warns: ['suspended'],
    liveStatus: 'BlockedByActiveGenerator',
  },
  {
    name: 'suspended generators end on their old code',
    source: (n) => `export function* count() { yield ${n}; yield ${n} }`,
    take: ({ count }) => {
      const held = count()
      held.next()
      return held
    },
    see: (held, { count }) => [held.next().value, count().next().value],
    sees: {
      ...everywhere((before, now) => [before, now]),
      'live edit': (before) => [before, before],
    },
    warns: ['suspended'],
    liveStatus: 'BlockedByActiveGenerator',
  },
  {
    name: 'ECS components: methods and hooks of spawned ones are new, their data stays',
    source: (n) => `import { Component, Entity, World, f64 } from '${ECS}'
export class Position extends Component.with({ x: f64() }) { move() { this.x += 1; return ${n} } override onDestroy() { globalThis.rtsTestEmitter.emit('gone', ${n}) } }
export class Ship extends Entity.with({ position: Position }) { go() { return this.position.move() } }
export { World }`,
    take: ({ World, Ship, Position }) => {
      const world = new World()
      const ship = world.spawn(Ship)
      ship.go()
      return { ship, all: world.query(Position), Position, world }
    },
    see: ({ ship, all, Position, world }) => {
      let gone = 0
      emitter.once('gone', (n: number) => (gone = n))
      const moved = [ship.go(), ship.position.x, ship.get(Position) === ship.position]
      let seen = 0
      all.each(() => (seen += 1))
      ship.destroy()
      return moved[1] === 2 && moved[2] && seen === 1 && world.size === 0 && gone === moved[0]
        ? moved[0]
        : moved
    },
  },
  {
    name: 'ECS systems: one that is added through the scope runs its new code in the running world',
    source: (n) => `import { Component, Entity, World, f64 } from '${ECS}'
import { keep, scope } from '@rts/reload'
export class Position extends Component.with({ x: f64() }) {}
export class Ship extends Entity.with({ position: Position }) {}
export const world = keep('world', () => new World())
const moving = world.query(Position)
scope.use(world.addSystem(() => moving.each((position) => { position.x += ${n} })))`,
    take: ({ world, Ship }) => world.spawn(Ship),
    see: (ship, { world }) => {
      const before = ship.position.x
      world.step(50)
      return ship.position.x - before
    },
  },
  {
    name: 'decorators: decorated methods, accessors and fields are lowered and new',
    source: (n) => `
const times = (f: any, _: unknown) => function (this: unknown, ...a: unknown[]) { return ${n} * f.apply(this, a) }
const start = (_: undefined, __: unknown) => (v: number) => v + ${n}
export class A {
  #x = 1
  @start y = 0
  @times f(): number { return this.#x }
  @times get g(): number { return this.#x }
  @times static s(): number { return 1 }
}`,
    take: ({ A }) => new A(),
    see: (a, { A }) =>
      a.f() === a.g && a.g === A.s() && new A().f() === a.f() ? a.f() : [a.f(), a.g, A.s()],
    // The functions that decorators made are values of the evaluation before.
    sees: { 'live edit': (_, now) => now },
  },
]

for (const row of ROWS) {
  describe(row.name, () => {
    const opened = FidelityRow.open(row)
    afterAll(async () => (await opened)[Symbol.asyncDispose]())
    // In this order, each on what the one before left.
    it.each(WAYS)('%s', async (way) => (await opened).check(way))
  })
}
