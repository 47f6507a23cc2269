import { describe, expect, expectTypeOf, test } from 'vitest'
import { Component, Entity, f64, u16, World } from '../src/index.ts'

const coded = (code: string) => expect.objectContaining({ name: 'EcsError', code })

class Position extends Component.with({ x: f64(), y: f64(), hp: u16(10).persist() }) {}
class Bag extends Component {
  readonly items = new Map<number, number>()
  grant(itemId: number): void {
    this.items.set(itemId, 1)
  }
}
class BigBag extends Bag {
  readonly pockets = 3
}
class Wand extends Component {}
class Avatar extends Entity.with({ bag: Bag, position: Position }) {
  static readonly rpc = { rename: 'player' } as const
  name = 'nobody'
  rename(name: string): void {
    this.name = name
  }
}
class Mage extends Avatar.with({ wand: Wand }) {}

describe('Entity.with', () => {
  test('gives each component as a typed property that knows its entity', () => {
    const avatar = new World().spawn(Avatar)
    avatar.bag.grant(7)
    avatar.position.x = 5
    expect(avatar.bag.items.get(7)).toBe(1)
    expect(avatar.bag.entity).toBe(avatar)
    expect(avatar.position.entity).toBe(avatar)
    expectTypeOf(avatar.bag).toEqualTypeOf<Bag>()
    expectTypeOf(avatar.position.x).toEqualTypeOf<number>()
    expectTypeOf(Avatar.components.bag).toEqualTypeOf<typeof Bag>()
  })

  test('on a subclass keeps the components and statics of the parent', () => {
    const mage = new World().spawn(Mage)
    expect(mage.wand).toBeInstanceOf(Wand)
    expect(mage.bag).toBeInstanceOf(Bag)
    expect(mage).toBeInstanceOf(Avatar)
    mage.rename('kim')
    expect(mage.name).toBe('kim')
    expect(Mage.components).toEqual({ bag: Bag, position: Position, wand: Wand })
    expect(Avatar.components).toEqual({ bag: Bag, position: Position })
    expect(Mage.rpc).toEqual({ rename: 'player' })
    expect(Mage.name).toBe('Mage')
  })

  test('components are there when class fields and constructors of the entity run', () => {
    class Eager extends Avatar {
      readonly first = this.bag.items.size
      readonly start: number
      constructor() {
        super()
        this.position.x = 9
        this.start = this.position.x
      }
    }
    const eager = new World().spawn(Eager)
    expect([eager.first, eager.start]).toEqual([0, 9])
  })

  test('a name can be given again for a subclass of what it held', () => {
    class Trader extends Avatar.with({ bag: BigBag }) {}
    const trader = new World().spawn(Trader)
    expect(trader.bag.pockets).toBe(3)
    expect(trader.get(Bag)).toBe(trader.bag)
    expect(() => Avatar.with({ bag: Wand })).toThrow(coded('ECS_NAME_TAKEN'))
  })

  test.each(['id', 'get', 'alive', 'toData', 'rename', 'constructor', 'a-b', 'onTick'])(
    'the name %j is refused',
    (name) => {
      class Ticking extends Avatar {
        override onTick(): void {}
      }
      expect(() => Ticking.with({ [name]: Wand })).toThrow(coded('ECS_NAME_TAKEN'))
    },
  )

  test('one class cannot be declared twice', () => {
    expect(() => Entity.with({ left: Wand, right: Wand })).toThrow(coded('ECS_COMPONENT_PRESENT'))
  })

  test('a class field that takes the place of a component is refused', () => {
    class Hiding extends Avatar {
      override readonly bag = new Bag()
    }
    const world = new World()
    expect(() => world.register(Hiding)).toThrow(coded('ECS_SHADOWED'))
    expect(() => world.spawn(Hiding)).toThrow(coded('ECS_SHADOWED'))
    expect(world.size).toBe(0)
  })

  test('components made while another entity is spawned inside a constructor find their own entity', () => {
    const world = new World()
    class Pet extends Entity.with({ bag: Bag }) {}
    class Nest extends Component {
      readonly pet: Pet = world.spawn(Pet)
    }
    class Owner extends Entity.with({ nest: Nest, position: Position }) {}
    const owner = world.spawn(Owner)
    expect(owner.nest.entity).toBe(owner)
    expect(owner.position.entity).toBe(owner)
    expect(owner.nest.pet.bag.entity).toBe(owner.nest.pet)
  })
})

describe('an entity constructed by hand', () => {
  test('has components but no world, id or life', () => {
    const avatar = new Avatar()
    avatar.bag.grant(1)
    expect([avatar.id, avatar.handle, avatar.alive]).toEqual(['', 0, false])
    expect(avatar.get(Bag)).toBe(avatar.bag)
    expect(avatar.signal.aborted).toBe(false)
    expect(avatar.destroy()).toBe(false)
    expect(() => avatar.world).toThrow(coded('ECS_NO_WORLD'))
    expect(() => avatar.add(Wand)).toThrow(coded('ECS_NO_WORLD'))
    expect(() => avatar.remove(Wand)).toThrow(coded('ECS_NO_WORLD'))
  })
})

describe('added components', () => {
  test('come and go, and are found by their class', () => {
    const world = new World()
    const avatar = world.spawn(Avatar)
    expect(avatar.has(Wand)).toBe(false)
    const wand = avatar.add(Wand)
    expect(avatar.get(Wand)).toBe(wand)
    expect(wand.entity).toBe(avatar)
    expect(world.query(Wand).count).toBe(1)
    expect(avatar.remove(Wand)).toBe(true)
    expect(avatar.remove(Wand)).toBe(false)
    expect(avatar.get(Wand)).toBeUndefined()
    expect(world.query(Wand).count).toBe(0)
  })

  test('are set up before anybody sees them', () => {
    const world = new World()
    const log: string[] = []
    class Burning extends Component.with({ damage: u16() }) {
      override onAwake(): void {
        log.push(`awake ${this.damage}`)
      }
      override onStart(): void {
        log.push(`start ${world.query(Burning).count}`)
      }
      override onDestroy(): void {
        log.push(`destroy ${this.entity.has(Burning)}`)
      }
    }
    const avatar = world.spawn(Avatar)
    avatar.add(Burning, (burning) => (burning.damage = 3))
    avatar.remove(Burning)
    expect(log).toEqual(['awake 3', 'start 1', 'destroy false'])
  })

  test('are refused twice, on the dead, and declared ones stay', () => {
    const world = new World()
    const avatar = world.spawn(Avatar)
    avatar.add(Wand)
    expect(() => avatar.add(Wand)).toThrow(coded('ECS_COMPONENT_PRESENT'))
    expect(() => avatar.add(Bag)).toThrow(coded('ECS_COMPONENT_PRESENT'))
    expect(() => avatar.remove(Bag)).toThrow(coded('ECS_DECLARED_COMPONENT'))
    avatar.destroy()
    expect(() => avatar.add(BigBag)).toThrow(coded('ECS_DESTROYED'))
    expect(avatar.remove(Wand)).toBe(false)
  })

  test('vanish again when their onAwake throws', () => {
    class Broken extends Component {
      override onAwake(): void {
        throw new Error('no')
      }
    }
    const world = new World()
    const avatar = world.spawn(Avatar)
    expect(() => avatar.add(Broken)).toThrow('no')
    expect(avatar.has(Broken)).toBe(false)
    expect(world.query(Broken).count).toBe(0)
  })

  test('in any order make the same shape', () => {
    const world = new World()
    const one = world.spawn(Entity)
    const two = world.spawn(Entity)
    one.add(Wand)
    one.add(Bag)
    const shapes = world.stats().shapes
    two.add(Bag)
    two.add(Wand)
    expect(world.stats().shapes).toBe(shapes + 1)
    expect([...world.query(Bag, Wand)]).toEqual([
      [one.get(Bag), one.get(Wand), one],
      [two.get(Bag), two.get(Wand), two],
    ])
  })
})

describe('saved data', () => {
  test('is that of the declared components under their names', () => {
    const world = new World()
    const avatar = world.spawn(Avatar)
    avatar.position.hp = 3
    const data = avatar.toData()
    expect(data).toEqual({ position: { hp: 3 } })
    avatar.destroy()
    const again = world.spawn(Avatar, { id: 'kim', data })
    expect(again.position.hp).toBe(3)
  })

  test('reaches components that save in their own way', () => {
    class Log extends Component {
      lines: string[] = []
      override toData(): { lines: string[] } {
        return { lines: [...this.lines] }
      }
      override fromData(data: { lines?: string[] }): void {
        this.lines = [...(data.lines ?? [])]
      }
    }
    class Room extends Entity.with({ log: Log }) {}
    const world = new World()
    const room = world.spawn(Room, { data: { log: { lines: ['a'] } } })
    room.log.lines.push('b')
    expect(room.toData()).toEqual({ log: { lines: ['a', 'b'] } })
  })

  test('that does not fit fails the spawn', () => {
    const world = new World()
    const spawn = (data: object) => () => world.spawn(Avatar, { id: 'x', data: data as {} })
    expect(spawn({ position: { hp: -1 } })).toThrow(coded('ECS_BAD_VALUE'))
    expect(spawn({ position: null })).toThrow(coded('ECS_BAD_VALUE'))
    expect(world.size).toBe(0)
    expect(spawn({ position: {}, gone: { a: 1 } })()).toBeInstanceOf(Avatar)
  })
})
