import { describe, expect, expectTypeOf, test } from 'vitest'
import { Component, Entity, f64, World } from '../src/index.ts'

class Position extends Component.with({ x: f64() }) {}
class Velocity extends Component.with({ dx: f64(1) }) {}
class Frozen extends Component {}
class Moving extends Entity.with({ position: Position, velocity: Velocity }) {}
class Rock extends Entity.with({ position: Position }) {}
class FastPosition extends Position {}
class Racer extends Moving.with({ position: FastPosition }) {}

function setup() {
  const world = new World()
  const moving = world.spawn(Moving)
  const rock = world.spawn(Rock)
  return { world, moving, rock }
}

describe('a query', () => {
  test('finds the entities that have all its components, typed', () => {
    const { world, moving, rock } = setup()
    const query = world.query(Position, Velocity)
    query.each((position, velocity, entity) => {
      expectTypeOf(position).toEqualTypeOf<Position>()
      expectTypeOf(velocity).toEqualTypeOf<Velocity>()
      expectTypeOf(entity).toEqualTypeOf<Entity>()
      position.x += velocity.dx
    })
    expect([moving.position.x, rock.position.x]).toEqual([1, 0])
    expect(world.query(Position).count).toBe(2)
    expect(world.query(Position).entities).toEqual([moving, rock])
    for (const [position, entity] of world.query(Position)) {
      expectTypeOf(position).toEqualTypeOf<Position>()
      expect(entity.get(Position)).toBe(position)
    }
  })

  test('is one live list, made before or after the entities', () => {
    const world = new World()
    const early = world.query(Position)
    const rocks = Array.from({ length: 5 }, () => world.spawn(Rock))
    expect(world.query(Position)).toBe(early)
    expect(early.count).toBe(5)
    const late = world.query(Velocity, Position)
    expect(late.count).toBe(0)
    for (const rock of rocks) rock.add(Velocity)
    expect(late.count).toBe(5)
    rocks[1]!.destroy()
    rocks[3]!.remove(Velocity)
    expect([early.count, late.count]).toEqual([4, 3])
    expect(late.first()).toEqual([rocks[0]!.get(Velocity), rocks[0]!.position, rocks[0]])
    for (const rock of rocks) rock.destroy()
    expect(early.first()).toBeUndefined()
  })

  test('can leave out entities that have other components', () => {
    const { world, moving, rock } = setup()
    const free = world.query(Position).without(Frozen)
    expect(free.count).toBe(2)
    moving.add(Frozen)
    expect(free.entities).toEqual([rock])
    moving.remove(Frozen)
    expect(free.count).toBe(2)
    expect(world.query(Position).without(Velocity, Frozen).entities).toEqual([rock])
    expect(world.query(Position).without(Frozen).without(Velocity)).toBe(
      world.query(Position).without(Velocity, Frozen),
    )
  })

  test('finds subclasses of a component class too', () => {
    const { world } = setup()
    const racer = world.spawn(Racer)
    expect(world.query(Position).count).toBe(3)
    expect(world.query(FastPosition).entities).toEqual([racer])
  })

  test('stands still during each and skips what is gone', () => {
    const { world, moving, rock } = setup()
    const seen: Entity[] = []
    world.query(Position).each((_, entity) => {
      seen.push(entity)
      rock.destroy()
      world.spawn(Rock)
      expect(rock.alive).toBe(false)
    })
    expect(seen).toEqual([moving])
    expect(world.query(Position).count).toBe(2)
  })

  test('each may be nested', () => {
    const { world } = setup()
    let pairs = 0
    world.query(Position).each((_, one) => {
      world.query(Position).each((_other, two) => {
        pairs += 1
        if (one !== two) two.destroy()
      })
    })
    expect(pairs).toBe(2)
    expect(world.size).toBe(1)
  })

  test('for..of walks what was there at its beginning, whatever happens in between', () => {
    const { world, moving, rock } = setup()
    const seen: Entity[] = []
    for (const [, entity] of world.query(Position)) {
      seen.push(entity)
      world.spawn(Rock)
      if (entity === moving) moving.destroy()
    }
    expect(seen).toEqual([moving, rock])
    for (const [,] of world.query(Position)) break
    expect(world.query(Position).count).toBe(3)
  })
})

describe('find', () => {
  test('lists the entities of a class and its subclasses', () => {
    const { world, moving, rock } = setup()
    const racer = world.spawn(Racer)
    const found = world.find(Moving)
    expectTypeOf(found.first()).toEqualTypeOf<Moving | undefined>()
    expect(found.entities).toEqual([moving, racer])
    expect([...world.find(Entity)]).toEqual([moving, rock, racer])
    expect(world.find(Moving)).toBe(found)
    const seen: Moving[] = []
    found.each((entity) => {
      seen.push(entity)
      racer.destroy()
    })
    expect(seen).toEqual([moving])
    expect(found.count).toBe(1)
    expect(world.find(Racer).first()).toBeUndefined()
  })
})
