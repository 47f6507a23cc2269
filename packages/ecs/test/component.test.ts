import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bool,
  Component,
  EcsError,
  Entity,
  f32,
  f64,
  i16,
  i32,
  i8,
  json,
  str,
  u16,
  u32,
  u8,
  World,
  type FieldMap,
} from '../src/index.ts'

const coded = (code: string) => expect.objectContaining({ name: 'EcsError', code })

class Body extends Component.with({
  x: f64(),
  y: f64(),
  hp: u16(100).persist().sync('all'),
  name: str('nobody').persist(),
  gold: u32().persist().sync('owner'),
}) {}

class Everything extends Component.with({
  f32: f32().persist(),
  f64: f64().persist(),
  i8: i8().persist(),
  i16: i16().persist(),
  i32: i32().persist(),
  u8: u8().persist(),
  u16: u16().persist(),
  u32: u32().persist(),
  bool: bool().persist(),
  str: str().persist(),
  json: json<unknown>(null).persist(),
}) {}

describe('declared fields', () => {
  test('start with their initial values and hold what is written', () => {
    const body = new Body()
    expect([body.x, body.hp, body.name]).toEqual([0, 100, 'nobody'])
    body.x = 1.5
    body.hp -= 30
    body.name = 'kim'
    expect([body.x, body.hp, body.name]).toEqual([1.5, 70, 'kim'])
  })

  test('belong to one instance each, json trees included', () => {
    class Bag extends Component.with({ items: json<number[]>([1]) }) {}
    const one = new Bag()
    const two = new Bag()
    one.items.push(2)
    expect(two.items).toEqual([1])
  })

  const limits: [keyof Everything, number, number][] = [
    ['i8', -128, 127],
    ['i16', -32_768, 32_767],
    ['i32', -(2 ** 31), 2 ** 31 - 1],
    ['u8', 0, 255],
    ['u16', 0, 65_535],
    ['u32', 0, 2 ** 32 - 1],
  ]
  test.each(limits)(
    '%s takes the whole numbers from %d to %d and nothing else',
    (kind, min, max) => {
      const all = new Everything() as unknown as Record<string, unknown>
      for (const value of [min, max, 0, -0]) {
        all[kind] = value
        expect(all[kind]).toBe(value + 0)
      }
      for (const value of [min - 1, max + 1, 0.5, NaN, Infinity, '1', null, undefined, 1n])
        expect(() => (all[kind] = value)).toThrow(coded('ECS_BAD_VALUE'))
      expect(all[kind]).toBe(0)
    },
  )

  test('an error names the class, the field, the range and the value', () => {
    const body = new Body()
    expect(() => (body.hp = 70_000)).toThrow('Body.hp (u16): must lie in 0..65535, not 70000')
    expect(() => (body.name = 5 as unknown as string)).toThrow(
      'Body.name (str): must be a string, not 5',
    )
  })

  test('f32 rounds to single precision; f32 and f64 refuse what is not finite', () => {
    const all = new Everything()
    all.f32 = 0.1
    expect(all.f32).toBe(Math.fround(0.1))
    all.f64 = 0.1
    expect(all.f64).toBe(0.1)
    for (const value of [NaN, Infinity, -Infinity, '1' as unknown as number]) {
      expect(() => (all.f64 = value)).toThrow(coded('ECS_BAD_VALUE'))
      expect(() => (all.f32 = value)).toThrow(coded('ECS_BAD_VALUE'))
    }
    expect(() => (all.f32 = 1e39)).toThrow(coded('ECS_BAD_VALUE'))
  })

  test('bool and str take their own type only', () => {
    const all = new Everything()
    expect(() => (all.bool = 1 as unknown as boolean)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => (all.str = null as unknown as string)).toThrow(coded('ECS_BAD_VALUE'))
  })

  test('json takes plain trees and refuses the rest where it is assigned', () => {
    const all = new Everything()
    all.json = { list: [1, 'a', null, { deep: true }], bytes: new Uint8Array([1]), none: undefined }
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    for (const value of [() => {}, new Map(), NaN, [1, undefined], { a: Symbol('s') }, 5n, circle])
      expect(() => (all.json = value)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => (all.json = { a: [1, new Date()] })).toThrow('json).a[1]: an instance of Date')
  })

  test('range narrows and clamp moves values inside instead of refusing', () => {
    class Gauge extends Component.with({
      hp: u8(50).range(0, 100).clamp(),
      level: i16(1).range(1, 60),
      load: f64().range(0, 1).clamp().persist(),
    }) {}
    const gauge = new Gauge()
    gauge.hp = -3
    expect(gauge.hp).toBe(0)
    gauge.hp = 99.9
    expect(gauge.hp).toBe(99)
    gauge.hp = Infinity
    expect(gauge.hp).toBe(100)
    gauge.load = 1.7
    expect(gauge.load).toBe(1)
    expect(() => (gauge.level = 61)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => (gauge.hp = NaN)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => u8().range(0, 300)).toThrow(RangeError)
  })

  test('a bad initial value is refused where it is declared', () => {
    expect(() => u8(300)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => str(1 as unknown as string)).toThrow(coded('ECS_BAD_VALUE'))
    expect(() => json(() => {})).toThrow(coded('ECS_BAD_VALUE'))
  })

  test('a subclass adds to the fields of its parent', () => {
    class Ship extends Body.with({ fuel: f32(10).persist() }) {}
    const ship = new Ship()
    ship.fuel = 5
    ship.hp = 1
    expect(ship.toData()).toEqual({ hp: 1, name: 'nobody', gold: 0, fuel: 5 })
    expect(Object.keys(Ship.fields)).toEqual(['x', 'y', 'hp', 'name', 'gold', 'fuel'])
    expect(ship.takeDirty()).toBe(0b100100)
    expect(ship).toBeInstanceOf(Body)
    expect(Ship.name).toBe('Ship')
  })

  test.each(['entity', 'takeDirty', 'onTick-', 'a b', '__proto__;', 'constructor', '1a'])(
    'the name %j is refused',
    (name) => {
      expect(() => Component.with({ [name]: u8() })).toThrow(coded('ECS_NAME_TAKEN'))
    },
  )

  test('hooks may not be fields, and a field is declared once', () => {
    expect(() => Body.with({ hp: u8() })).toThrow(coded('ECS_NAME_TAKEN'))
    expect(() => Component.with({ onTick: bool() })).toThrow(coded('ECS_NAME_TAKEN'))
  })

  test('30 fields fit, 31 do not', () => {
    const fields = (count: number): FieldMap =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, u8()]))
    class Wide extends Component.with(fields(30)) {}
    const wide = new Wide() as unknown as Record<string, number> & Component
    wide['f29'] = 1
    expect(wide.takeDirty()).toBe(2 ** 29)
    expect(() => Component.with(fields(31))).toThrow(coded('ECS_TOO_MANY_FIELDS'))
    expect(() => Wide.with({ more: u8() })).toThrow(coded('ECS_TOO_MANY_FIELDS'))
  })
})

describe('fields that are hidden', () => {
  class Shadowing extends Component.with({ x: f64(), hp: u16() }) {
    override x = 5
  }
  class Accessor extends Body {}
  Object.defineProperty(Accessor.prototype, 'hp', { get: () => 1, configurable: true })

  test('a class field of the same name is refused when the class is registered', () => {
    expect(() => new World().register(Shadowing)).toThrow(coded('ECS_SHADOWED'))
    expect(() => new World().register(Shadowing)).toThrow('Shadowing declares x again')
  })

  test('and when it is spawned or added, with nothing left behind', () => {
    class Ship extends Entity.with({ body: Shadowing }) {}
    const world = new World()
    expect(() => world.register(Ship)).toThrow(coded('ECS_SHADOWED'))
    expect(() => world.spawn(Ship, { id: 's' })).toThrow(coded('ECS_SHADOWED'))
    const entity = world.spawn(Entity)
    expect(() => entity.add(Shadowing)).toThrow(coded('ECS_SHADOWED'))
    expect(world.size).toBe(1)
    expect(world.get('s')).toBeUndefined()
    expect(world.query(Shadowing).count).toBe(0)
  })

  test('so is an accessor of a subclass', () => {
    expect(() => new World().register(Accessor)).toThrow(coded('ECS_SHADOWED'))
  })

  test('assigning in the constructor is fine', () => {
    class Fine extends Component.with({ x: f64() }) {
      constructor() {
        super()
        this.x = 5
      }
    }
    new World().register(Fine, Body)
    expect(new Fine().x).toBe(5)
  })
})

describe('dirty marks', () => {
  test('a write sets the bit of its field; the same value again does not', () => {
    const body = new Body()
    expect(body.takeDirty()).toBe(0)
    body.x = 0
    body.hp = 100
    expect(body.takeDirty()).toBe(0)
    body.y = 1
    body.hp = 99
    expect(body.takeDirty()).toBe(0b110)
    expect(body.takeDirty()).toBe(0)
  })

  test('each reader has its own marks and sees its own fields', () => {
    const body = new Body()
    body.x = 1
    body.hp = 1
    body.name = 'kim'
    expect(body.takeDirty('sync')).toBe(0b00100)
    body.gold = 5
    expect(body.dirty('persist')).toBe(0b11100)
    expect(body.takeDirty('persist')).toBe(0b11100)
    expect(body.takeDirty('sync')).toBe(0b10000)
    expect(body.takeDirty('any')).toBe(0b11101)
    expect([body.dirty(), body.dirty('sync'), body.dirty('persist')]).toEqual([0, 0, 0])
  })

  test('markDirty marks what was changed inside', () => {
    class Bag extends Component.with({ items: json<number[]>([]).persist(), size: u8() }) {}
    const bag = new Bag()
    bag.items.push(1)
    expect(bag.takeDirty()).toBe(0)
    bag.markDirty('items')
    expect(bag.takeDirty('persist')).toBe(0b01)
    bag.takeDirty()
    bag.markDirty()
    expect(bag.takeDirty()).toBe(0b11)
    expect(() => bag.markDirty('entity')).toThrow(TypeError)
  })

  test('a plain class is never dirty', () => {
    class Plain extends Component {
      value = 1
    }
    const plain = new Plain()
    plain.value = 2
    plain.markDirty()
    expect(plain.takeDirty()).toBe(0)
    expect(plain.toData()).toEqual({})
  })

  test('a refused write changes nothing', () => {
    const body = new Body()
    expect(() => (body.hp = -1)).toThrow(EcsError)
    expect([body.hp, body.dirty()]).toEqual([100, 0])
  })
})

describe('saved data', () => {
  test('holds the persisted fields, or those of a mask', () => {
    const body = new Body()
    body.x = 3
    body.gold = 7
    expect(body.toData()).toEqual({ hp: 100, name: 'nobody', gold: 7 })
    expect(body.toData(body.takeDirty())).toEqual({ x: 3, gold: 7 })
  })

  test('is a copy', () => {
    const all = new Everything()
    const tree = { list: [1] }
    all.json = tree
    const data = all.toData()
    tree.list.push(2)
    expect(data['json']).toEqual({ list: [1] })
    const other = new Everything()
    other.fromData(data)
    ;(data['json'] as typeof tree).list.push(3)
    expect(other.json).toEqual({ list: [1] })
  })

  test('any values survive saving and restoring', () => {
    const values = fc.record({
      f32: fc.float({ noNaN: true, noDefaultInfinity: true }),
      f64: fc.double({ noNaN: true, noDefaultInfinity: true }),
      i8: fc.integer({ min: -128, max: 127 }),
      i16: fc.integer({ min: -32_768, max: 32_767 }),
      i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      u8: fc.integer({ min: 0, max: 255 }),
      u16: fc.integer({ min: 0, max: 65_535 }),
      u32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      bool: fc.boolean(),
      str: fc.string(),
      json: fc.jsonValue(),
    })
    fc.assert(
      fc.property(values, (written) => {
        const one = new Everything()
        Object.assign(one, written)
        const text = JSON.stringify(one.toData())
        const two = new Everything()
        two.fromData(JSON.parse(text))
        expect(JSON.stringify(two.toData())).toBe(text)
        expect(two.dirty('persist')).toBe(0)
      }),
    )
  })

  test('restoring ignores unknown names, keeps what is missing and refuses what does not fit', () => {
    const body = new Body()
    body.fromData({ hp: 5, mana: 7, ['__proto__']: { x: 1 }, takeDirty: 1 })
    expect([body.hp, body.name, body.x]).toEqual([5, 'nobody', 0])
    expect(body.takeDirty).toBe(Component.prototype.takeDirty)
    expect(() => body.fromData({ hp: '5' })).toThrow(coded('ECS_BAD_VALUE'))
  })

  test('what was restored is saved already, what was written before is not', () => {
    const body = new Body()
    body.name = 'kim'
    body.fromData({ hp: 5, gold: 9 })
    expect(body.dirty('persist')).toBe(0b01000)
    expect(body.dirty('sync')).toBe(0b10100)
  })

  test('a name like __proto__ inside a json field stays plain data', () => {
    const all = new Everything()
    all.json = JSON.parse('{"__proto__": {"admin": true}}')
    const copy = all.toData()['json'] as Record<string, unknown>
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(copy['admin']).toBeUndefined()
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"admin":true}}')
  })
})
