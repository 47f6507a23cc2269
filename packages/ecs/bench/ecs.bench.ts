// Against loops over dense arrays written by hand: the least that classes can cost. The case `tick` has its control
// in the walk over entity trees, which such a loop must beat by far.
import assert from 'node:assert/strict'
import { Component, Entity, f64, World } from '@rts/ecs'
import { check, interleave, report, type BenchRow } from '../../../bench.base.ts'

const ENTITIES = 1000

/** Classes of the same body but of their own shape, as a game has them. */
const makeClass = () =>
  class extends Component {
    value = 1
    override onTick(dtMs: number): void {
      this.value += dtMs
    }
  }
class A extends makeClass() {}
class B extends makeClass() {}
class C extends makeClass() {}
class D extends makeClass() {}
class E extends makeClass() {}
const CLASSES = [A, B, C, D, E] as const
type Ticking = InstanceType<(typeof CLASSES)[number]>

/** Microseconds per call. */
function time(calls: number, run: () => void): number {
  const start = performance.now()
  for (let call = 0; call < calls; call += 1) run()
  return ((performance.now() - start) * 1000) / calls
}

async function compare(
  name: string,
  calls: number,
  contenders: Readonly<Record<string, () => void>>,
): Promise<BenchRow[]> {
  const measured = Object.entries(contenders).map(
    ([key, run]) => [key, () => time(calls, run)] as const,
  )
  // Enough for the compiler to have settled on all of them.
  for (let warmUp = 0; warmUp < 5; warmUp += 1) for (const [, measure] of measured) measure()
  return interleave(name, 'us', Object.fromEntries(measured), 7)
}

const ratio = (rows: readonly BenchRow[], contender: string): number =>
  rows.find((row) => row.contender === contender)!.ratio

// ---- tick: 1000 entities with 5 component classes, one call each

class Five extends Entity.with({ a: A, b: B, c: C, d: D, e: E }) {}

async function tick(): Promise<BenchRow[]> {
  const lists = CLASSES.map((Class) => Array.from({ length: ENTITIES }, () => new Class()))
  // One loop per class, as somebody who knows would write it.
  const loops = CLASSES.map(
    () =>
      new Function('list', 'dt', 'for (let i = 0; i < list.length; i++) list[i].onTick(dt)') as (
        list: readonly Ticking[],
        dtMs: number,
      ) => void,
  )
  const trees = Array.from({ length: ENTITIES }, () => CLASSES.map((Class) => new Class()))
  const world = new World()
  for (let index = 0; index < ENTITIES; index += 1) world.spawn(Five)
  const floor = (): void => loops.forEach((loop, index) => loop(lists[index]!, 1))
  const tree = (): void => {
    for (const parts of trees) for (const part of parts) part.onTick(1)
  }
  const rows = await compare('tick, 5 classes x 1000', 2000, {
    'floor: loop per class': floor,
    '@rts/ecs step': () => world.step(1),
    'entity trees': tree,
  })
  const sum = lists.flat().reduce((total, { value }) => total + value, 0)
  let own = 0
  for (const entity of world.find(Five))
    for (const Class of CLASSES) own += entity.get(Class)!.value
  assert.equal(own, sum)
  return rows
}

// ---- query: one loop over two components of 1000 entities

class Position extends Component {
  x = 0
  y = 0
}
class Velocity extends Component {
  x = 1
  y = 2
}
class Body extends Entity.with({ position: Position, velocity: Velocity }) {}

async function query(): Promise<BenchRow[]> {
  const positions = Array.from({ length: ENTITIES }, () => new Position())
  const velocities = Array.from({ length: ENTITIES }, () => new Velocity())
  const world = new World()
  const bodies = Array.from({ length: ENTITIES }, () => world.spawn(Body))
  const moving = world.query(Position, Velocity)
  const rows = await compare('query 2 components x 1000', 5000, {
    'floor: two arrays': () => {
      for (let index = 0; index < ENTITIES; index += 1) {
        const position = positions[index]!
        const velocity = velocities[index]!
        position.x += velocity.x
        position.y += velocity.y
      }
    },
    '@rts/ecs each': () =>
      moving.each((position, velocity) => {
        position.x += velocity.x
        position.y += velocity.y
      }),
  })
  assert.equal(bodies.at(-1)!.position.y, positions.at(-1)!.y)
  return rows
}

// ---- structural change

async function spawnAndDestroy(): Promise<BenchRow[]> {
  class Bullet extends Entity.with({ position: Position }) {}
  const world = new World()
  world.query(Position)
  const entities: Bullet[] = []
  let list: Position[] = []
  let last = 0
  const rows = await compare('spawn and destroy 1000', 100, {
    'floor: array of new': () => {
      list = []
      for (let index = 0; index < ENTITIES; index += 1) list.push(new Position())
      while (list.length > 0) last += list.pop()!.x
    },
    '@rts/ecs': () => {
      for (let index = 0; index < ENTITIES; index += 1) entities.push(world.spawn(Bullet))
      while (entities.length > 0) world.destroy(entities.pop()!)
    },
  })
  assert.deepEqual([world.size, last], [0, 0])
  return rows
}

async function addAndRemove(): Promise<BenchRow[]> {
  const world = new World()
  const bodies = Array.from({ length: ENTITIES }, () => world.spawn(Body))
  class Burning extends Component {
    damage = 1
  }
  const burning = world.query(Position, Burning)
  const columns: [Position[], Burning[]] = [[], []]
  const rows = await compare('add and remove a component x 1000', 100, {
    'floor: push and pop two columns': () => {
      for (let index = 0; index < ENTITIES; index += 1) {
        columns[0].push(bodies[index]!.position)
        columns[1].push(new Burning())
      }
      for (let index = 0; index < ENTITIES; index += 1) {
        columns[0].pop()
        columns[1].pop()
      }
    },
    '@rts/ecs': () => {
      for (const body of bodies) body.add(Burning)
      for (const body of bodies) body.remove(Burning)
    },
  })
  assert.deepEqual([burning.count, columns[0].length], [0, 0])
  return rows
}

// ---- field writes

async function write(): Promise<BenchRow[]> {
  class Plain extends Component {
    x = 0
  }
  class Declared extends Component.with({ x: f64() }) {}
  const plain = Array.from({ length: ENTITIES }, () => new Plain())
  const declared = Array.from({ length: ENTITIES }, () => new Declared())
  let value = 0
  const rows = await compare('write a field x 1000', 5000, {
    'plain class field': () => {
      value += 0.5
      for (const component of plain) component.x = value
    },
    'declared field': () => {
      value += 0.5
      for (const component of declared) component.x = value
    },
  })
  assert.equal(declared[0]!.takeDirty(), 1)
  return rows
}

const ticks = await tick()
const queries = await query()
const spawns = await spawnAndDestroy()
const adds = await addAndRemove()
const writes = await write()

report(
  'ecs',
  [...ticks, ...queries, ...spawns, ...adds, ...writes],
  [
    check('tick-to-floor', ratio(ticks, '@rts/ecs step'), '<= 1.5'),
    check('tree-to-tick', ratio(ticks, 'entity trees') / ratio(ticks, '@rts/ecs step'), '>= 4'),
    check('query-to-floor', ratio(queries, '@rts/ecs each'), '<= 3'),
    check('spawn-to-floor', ratio(spawns, '@rts/ecs'), '<= 40'),
    check('add-to-floor', ratio(adds, '@rts/ecs'), '<= 60'),
    check('write-to-plain', ratio(writes, 'declared field'), '<= 3'),
  ],
)
