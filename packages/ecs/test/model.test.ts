import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { seededRandom } from '@rts/testing'
import { Component, Entity, i32, World, type ComponentClass } from '../src/index.ts'

class A extends Component.with({ value: i32() }) {}
class B extends Component.with({ value: i32() }) {}
class C extends Component.with({ value: i32() }) {}
class D extends Component.with({ value: i32() }) {}
class SubA extends A {}
class Plain extends Entity {}
class Pair extends Entity.with({ a: A, b: B }) {}
class Triple extends Pair.with({ c: C }) {}

type Valued = Component & { value: number }
type ValuedClass = new () => Valued
const CLASSES: readonly ValuedClass[] = [A, B, C, D, SubA]
const ENTITIES = [Plain, Pair, Triple] as const
const DECLARED = new Map<unknown, readonly ValuedClass[]>([
  [Plain, []],
  [Pair, [A, B]],
  [Triple, [A, B, C]],
])

/** What an entity should be: plain records, searched from end to end. */
interface Expected {
  readonly entity: Entity
  readonly Class: (typeof ENTITIES)[number]
  readonly id: string | undefined
  readonly handle: number
  alive: boolean
  readonly values: Map<ValuedClass, number>
  /** Grows with every change that takes it out of a list it is in. */
  version: number
}

interface Want {
  readonly all: readonly ValuedClass[]
  readonly none: readonly ValuedClass[]
}

const QUERIES: readonly Want[] = [
  { all: [A], none: [] },
  { all: [D, B], none: [] },
  { all: [A, B], none: [C] },
  { all: [SubA], none: [] },
  { all: [C, A, D], none: [] },
  { all: [B], none: [D, SubA] },
]

const has = (item: Expected, Class: ValuedClass): boolean =>
  [...item.values.keys()].some((own) => own === Class || own.prototype instanceof Class)
const matches = (item: Expected, { all, none }: Want): boolean =>
  item.alive && all.every((Class) => has(item, Class)) && !none.some((Class) => has(item, Class))

class Trial {
  readonly #random: ReturnType<typeof seededRandom>
  readonly #world: World
  readonly #all: Expected[] = []
  readonly #byEntity = new Map<Entity, Expected>()
  #budget: number
  #next = 1

  constructor(seed: number, operations: number) {
    this.#random = seededRandom(seed)
    this.#world = new World({ random: seededRandom(seed) })
    this.#budget = operations
    this.#world.addSystem(() => this.#actSome(6))
    this.#world.addSystem(() => this.#walk(this.#pick(QUERIES)), { order: 1 })
  }

  run(): void {
    while (this.#budget > 0) {
      const dice = this.#random.int(20)
      if (dice < 12) this.#act()
      else if (dice < 15) this.#walk(this.#pick(QUERIES))
      else if (dice < 17) this.#world.step(1)
      else if (dice < 19) this.#checkLists()
      else if (this.#random.int(40) === 0) this.#clear()
    }
    this.#checkLists()
    this.#clear()
    this.#checkLists()
  }

  #actSome(most: number): void {
    for (let left = this.#random.int(most); left > 0; left -= 1) this.#act()
  }

  #act(): void {
    this.#budget -= 1
    const dice = this.#random.int(10)
    if (dice < 3) this.#spawn()
    else {
      const item = this.#pick(this.#all)
      if (item === undefined) return
      if (dice < 5) this.#destroy(item)
      else if (dice < 7) this.#add(item, this.#pick(CLASSES))
      else if (dice < 9) this.#remove(item, this.#pick(CLASSES))
      else this.#write(item, this.#pick(CLASSES))
      this.#check(item)
    }
    const any = this.#pick(this.#all)
    if (any !== undefined) this.#check(any)
  }

  #spawn(): void {
    const Class = this.#pick(ENTITIES)
    const id = this.#random.int(3) === 0 ? `own ${this.#random.int(50)}` : undefined
    const isTaken = id !== undefined && this.#all.some((item) => item.alive && item.id === id)
    if (isTaken) {
      assert.throws(() => this.#world.spawn(Class, { id: id! }), /Ecs/)
      return
    }
    const entity: Entity = this.#world.spawn(Class, id === undefined ? {} : { id })
    const values = new Map(DECLARED.get(Class)!.map((own) => [own, 0]))
    const item = { entity, Class, id, handle: entity.handle, alive: true, values, version: 0 }
    this.#all.push(item)
    this.#byEntity.set(entity, item)
    // Old ones make room; the dead stay long enough to be asked for.
    if (this.#all.length > 300)
      for (const old of this.#all.splice(0, 20)) if (old.alive) this.#destroy(old)
  }

  #destroy(item: Expected): void {
    const { entity, id } = item
    const target = id !== undefined && item.alive && this.#random.int(2) === 0 ? id : entity
    assert.equal(this.#world.destroy(target), item.alive)
    item.alive = false
    item.version += 1
  }

  #add(item: Expected, Class: ValuedClass): void {
    if (!item.alive || item.values.has(Class)) {
      assert.throws(() => item.entity.add(Class), /Ecs/)
      return
    }
    const value = this.#value()
    item.entity.add(Class, (component) => (component.value = value))
    item.values.set(Class, value)
    item.version += 1
  }

  #remove(item: Expected, Class: ValuedClass): void {
    const isDeclared = DECLARED.get(item.Class)!.some(
      (own) => own === Class || (!item.values.has(Class) && own.prototype instanceof Class),
    )
    if (item.alive && isDeclared) {
      assert.throws(() => item.entity.remove(Class), /Ecs/)
      return
    }
    const own = this.#held(item, Class)
    const before = item.alive && own !== undefined
    assert.equal(item.entity.remove(Class), before)
    if (!before) return
    item.values.delete(own!)
    item.version += 1
  }

  #write(item: Expected, Class: ValuedClass): void {
    const own = this.#held(item, Class)
    const component = item.entity.get(Class)
    assert.equal(component !== undefined, own !== undefined)
    if (component === undefined) return
    component.value = this.#value()
    item.values.set(own!, component.value)
  }

  /** The class an entity answers with: this one, else its first subclass. */
  #held(item: Expected, Class: ValuedClass): ValuedClass | undefined {
    if (item.values.has(Class)) return Class
    return [...item.values.keys()].find((own) => own.prototype instanceof Class)
  }

  #walk(want: Want): void {
    const query = this.#query(want)
    const listed = new Map(
      query.entities.map((entity) => [entity, this.#byEntity.get(entity)!.version]),
    )
    const seen = new Set<Entity>()
    query.each((...row) => {
      const entity = row.at(-1) as Entity
      const item = this.#byEntity.get(entity)!
      assert.ok(listed.has(entity) && !seen.has(entity))
      seen.add(entity)
      assert.ok(item.alive)
      row.slice(0, -1).forEach((part, index) => {
        const component = part as Valued
        assert.equal(component.entity, entity)
        assert.equal(item.values.get(component.constructor as ValuedClass), component.value)
        assert.ok(component instanceof want.all[index]!)
      })
      if (this.#random.int(4) === 0) this.#actSome(3)
    })
    for (const [entity, version] of listed) {
      const item = this.#byEntity.get(entity)!
      if (item.alive && item.version === version) assert.ok(seen.has(entity))
    }
  }

  #query({ all, none }: Want) {
    const query = this.#world.query(...(all as unknown as [ComponentClass, ...ComponentClass[]]))
    return none.length === 0 ? query : query.without(...none)
  }

  #checkLists(): void {
    for (const want of QUERIES) {
      const query = this.#query(want)
      const expected = this.#all.filter((item) => matches(item, want)).map(({ entity }) => entity)
      const found = new Set(query.entities)
      assert.ok(expected.every((entity) => found.has(entity)))
      assert.equal(query.count, expected.length)
    }
    for (const Class of ENTITIES) {
      const expected = this.#all.filter((item) => item.alive && item.entity instanceof Class)
      assert.equal(this.#world.find(Class).count, expected.length)
    }
    assert.equal(this.#world.size, this.#all.filter(({ alive }) => alive).length)
    for (const item of this.#all) this.#check(item)
  }

  /** The world and the handles say of one entity, living or dead, what they should. */
  #check(item: Expected): void {
    const { entity, handle, id, alive } = item
    assert.equal(entity.alive, alive)
    assert.equal(this.#world.at(handle), alive ? entity : undefined)
    if (id !== undefined && alive) assert.equal(this.#world.get(id), entity)
    else if (id !== undefined) assert.notEqual(this.#world.get(id), entity)
    for (const [Class, value] of item.values) assert.equal(entity.get(Class)?.value, value)
  }

  #clear(): void {
    this.#world.clear()
    for (const item of this.#all) item.alive = false
    assert.equal(this.#world.size, 0)
  }

  #value(): number {
    return (this.#next += 1)
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.int(Math.max(from.length, 1))]!
  }
}

test('100,000 random operations, inside and outside of systems and loops, leave what plain lists would', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (seed) => new Trial(seed, 4000).run()),
    { numRuns: 25, seed: 20_260_101 },
  )
})
