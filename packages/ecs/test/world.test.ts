import { describe, expect, test } from 'vitest'
import { seededRandom } from '@rts/testing'
import { Component, Entity, f64, World, type WorldOptions } from '../src/index.ts'

const coded = (code: string) => expect.objectContaining({ name: 'EcsError', code })

/** Component and entity classes that note every hook. */
function noted() {
  const log: string[] = []
  const note = (name: string) =>
    class extends Component {
      override onAwake(): void {
        log.push(`${name} awake`)
      }
      override onStart(): void {
        log.push(`${name} start`)
      }
      override onDestroy(): void {
        log.push(`${name} destroy`)
      }
    }
  class A extends note('a') {}
  class B extends note('b') {}
  class Thing extends Entity.with({ a: A, b: B }) {
    override onAwake(): void {
      log.push('entity awake')
    }
    override onStart(): void {
      log.push('entity start')
    }
    override onDestroy(): void {
      log.push('entity destroy')
    }
  }
  return { log, A, B, Thing }
}

class Counter extends Component {
  ticks = 0
  override onTick(): void {
    this.ticks += 1
  }
}
class Ticker extends Entity.with({ counter: Counter }) {}

describe('life', () => {
  test('hooks run in component order at spawn and in reverse at destroy', () => {
    const { log, Thing } = noted()
    const world = new World()
    const thing = world.spawn(Thing)
    expect(log.splice(0)).toEqual([
      'a awake',
      'b awake',
      'entity awake',
      'a start',
      'b start',
      'entity start',
    ])
    expect(world.destroy(thing)).toBe(true)
    expect(log.splice(0)).toEqual(['entity destroy', 'b destroy', 'a destroy'])
    expect(world.destroy(thing)).toBe(false)
    expect(log).toEqual([])
  })

  test('initial values and restored data are there in the first hook', () => {
    const seen: number[] = []
    class Body extends Component.with({ hp: f64(1).persist(), x: f64() }) {
      override onAwake(): void {
        seen.push(this.hp, this.x)
      }
    }
    class Ship extends Entity.with({ body: Body }) {}
    new World().spawn(Ship, { data: { body: { hp: 7 } }, init: (ship) => (ship.body.x = 9) })
    expect(seen).toEqual([7, 9])
  })

  test('an entity is found by id in its own hooks, and no more when it is destroyed', () => {
    const world = new World()
    const seen: unknown[] = []
    class Self extends Component {
      override onAwake(): void {
        seen.push(world.get(this.entity.id) === this.entity, this.entity.alive)
      }
      override onDestroy(): void {
        seen.push(world.get('self'), this.entity.alive, this.entity.get(Self) === this)
      }
    }
    class Thing extends Entity.with({ self: Self }) {}
    world.spawn(Thing, { id: 'self' })
    expect(world.destroy('self')).toBe(true)
    expect(seen).toEqual([true, true, undefined, false, true])
    expect(world.destroy('self')).toBe(false)
  })

  test('when an onAwake throws, spawn throws and what was awake is destroyed', () => {
    const { log, A, B } = noted()
    class Broken extends Component {
      override onAwake(): void {
        throw new Error('broken')
      }
      override onDestroy(): void {
        log.push('broken destroy')
      }
    }
    class Thing extends Entity.with({ a: A, broken: Broken, b: B }) {
      override onDestroy(): void {
        log.push('entity destroy')
      }
    }
    const world = new World()
    expect(() => world.spawn(Thing, { id: 'x' })).toThrow('broken')
    expect(log).toEqual(['a awake', 'a destroy'])
    expect(world.size).toBe(0)
    expect(world.find(Thing).count).toBe(0)
    expect(world.get('x')).toBeUndefined()
  })

  test('an entity may destroy itself in onAwake', () => {
    const { log, A, B } = noted()
    class Suicidal extends Component {
      override onAwake(): void {
        this.entity.destroy()
      }
      override onDestroy(): void {
        log.push('gone')
      }
    }
    class Thing extends Entity.with({ a: A, end: Suicidal, b: B }) {}
    const world = new World()
    const thing = world.spawn(Thing)
    expect(thing.alive).toBe(false)
    expect(log).toEqual(['a awake', 'gone', 'a destroy'])
    expect(world.find(Entity).count).toBe(0)
  })

  test('the signal is aborted when the entity is destroyed, before its hooks', () => {
    const world = new World()
    const log: string[] = []
    class Waiting extends Component {
      override onAwake(): void {
        this.entity.signal.addEventListener('abort', () => log.push('aborted'))
      }
      override onDestroy(): void {
        log.push('destroy')
      }
    }
    class Thing extends Entity.with({ waiting: Waiting }) {}
    const thing = world.spawn(Thing)
    const { signal } = thing
    expect(signal.aborted).toBe(false)
    thing.destroy()
    expect(log).toEqual(['aborted', 'destroy'])
    expect(signal.reason).toMatchObject({ code: 'ECS_DESTROYED' })
    const late = world.spawn(Entity)
    late.destroy()
    expect(late.signal.aborted).toBe(true)
  })

  test('a hook of a dying entity may change the world and does not meet the dead in it', () => {
    const world = new World()
    const seen: string[] = []
    class Loot extends Entity {}
    class Monster extends Entity {
      override onDestroy(): void {
        world.spawn(Loot)
        world.find(Entity).each((entity) => seen.push(entity.constructor.name))
      }
    }
    world.find(Entity)
    world.spawn(Monster).destroy()
    expect(seen).toEqual(['Loot'])
  })

  test('clear destroys all and leaves systems and queries in place', () => {
    const { log, Thing, A } = noted()
    const world = new World()
    let steps = 0
    world.addSystem(() => void (steps += 1))
    const query = world.query(A)
    world.spawn(Thing, { id: 'x' })
    world.spawn(Entity)
    log.length = 0
    world.clear()
    expect(log).toEqual(['entity destroy', 'b destroy', 'a destroy'])
    expect([world.size, query.count, world.find(Entity).count]).toEqual([0, 0, 0])
    world.spawn(Thing, { id: 'x' })
    world.step(1)
    expect([steps, query.count]).toEqual([1, 1])
  })

  test('clear takes entities along that others spawn when they end, but not for ever', () => {
    const world = new World()
    class Loot extends Entity {}
    class Monster extends Entity {
      override onDestroy(): void {
        this.world.spawn(Loot)
      }
    }
    class Hydra extends Entity {
      override onDestroy(): void {
        this.world.spawn(Hydra)
      }
    }
    world.spawn(Monster)
    world.clear()
    expect(world.size).toBe(0)
    world.spawn(Hydra)
    expect(() => world.clear()).toThrow(coded('ECS_CLEAR_ENDLESS'))
  })
})

describe('ids and handles', () => {
  test('given ids are kept; one that is alive is refused; a dead one may return', () => {
    const world = new World()
    const kim = world.spawn(Ticker, { id: 'kim' })
    expect(kim.id).toBe('kim')
    expect(world.get('kim', Ticker)).toBe(kim)
    class Other extends Entity {}
    expect(world.get('kim', Other)).toBeUndefined()
    expect(() => world.spawn(Ticker, { id: 'kim' })).toThrow(coded('ECS_DUPLICATE_ID'))
    kim.destroy()
    const again = world.spawn(Ticker, { id: 'kim' })
    expect(world.get('kim')).toBe(again)
    expect(kim.alive).toBe(false)
    expect(world.destroy(kim)).toBe(false)
    expect(again.alive).toBe(true)
    expect(() => world.spawn(Ticker, { id: '' })).toThrow(RangeError)
  })

  test('made ids are unique in the world and across worlds, and repeat under the same randomness', () => {
    const ids = (options: WorldOptions): string[] => {
      const world = new World(options)
      return Array.from({ length: 100 }, () => {
        const entity = world.spawn(Entity)
        const { id } = entity
        expect(world.get(id)).toBe(entity)
        entity.destroy()
        expect(world.get(id)).toBeUndefined()
        return id
      })
    }
    const all = [...ids({}), ...ids({}), ...ids({ idPrefix: 'game_1.' })]
    expect(new Set(all).size).toBe(300)
    expect(all.at(-1)).toMatch(/^game_1\.[0-9a-z]{16}-[0-9a-z]+$/)
    expect(ids({ random: seededRandom(1) })).toEqual(ids({ random: seededRandom(1) }))
  })

  test('an id first asked for after the end still names nobody', () => {
    const world = new World()
    const entity = world.spawn(Entity)
    entity.destroy()
    expect(entity.id).not.toBe('')
    expect(world.get(entity.id)).toBeUndefined()
  })

  test('a handle finds its entity and never a later one in the same place', () => {
    const world = new World()
    const handles = new Set<number>()
    for (let round = 0; round < 1000; round += 1) {
      const entity = world.spawn(Entity)
      expect(world.at(entity.handle)).toBe(entity)
      handles.add(entity.handle)
      entity.destroy()
    }
    expect(handles.size).toBe(1000)
    world.spawn(Entity)
    for (const handle of [...handles, 0, -1, 0.5, NaN, Infinity]) {
      expect(world.at(handle)).toBeUndefined()
    }
  })

  test('maxEntities is kept', () => {
    const world = new World({ maxEntities: 2 })
    world.spawn(Entity)
    const second = world.spawn(Entity)
    expect(() => world.spawn(Entity)).toThrow(coded('ECS_WORLD_FULL'))
    second.destroy()
    world.spawn(Entity)
    for (const maxEntities of [0, 1.5, 2 ** 24 + 1, NaN])
      expect(() => new World({ maxEntities })).toThrow(RangeError)
  })

  test('an entity of another world is not touched', () => {
    const one = new World()
    const two = new World()
    const entity = one.spawn(Entity)
    expect(two.destroy(entity)).toBe(false)
    expect(entity.alive).toBe(true)
  })
})

describe('step', () => {
  test('runs systems by order, then by age, and the ticks of classes after systems of their order', () => {
    const log: string[] = []
    class Late extends Component {
      static override readonly tickOrder = 10
      override onTick(dtMs: number): void {
        log.push(`late ${dtMs}`)
      }
    }
    class Thing extends Entity.with({ late: Late }) {
      override onTick(): void {
        log.push('entity')
      }
    }
    const world = new World()
    world.spawn(Thing)
    world.addSystem(() => void log.push('c'), { order: 10 })
    world.addSystem(() => void log.push('a'))
    world.addSystem(() => void log.push('b'))
    world.addSystem(() => void log.push('first'), { order: -1 })
    world.addSystem(() => void log.push('last'), { order: 11 })
    world.step(50)
    expect(log).toEqual(['first', 'a', 'b', 'entity', 'c', 'late 50', 'last'])
  })

  test('hands systems the step and the world, and adds up time', () => {
    const world = new World()
    const seen: unknown[] = []
    world.addSystem((dtMs, given) => seen.push(dtMs, given === world, world.time))
    world.step(50)
    world.step(25)
    expect(seen).toEqual([50, true, 0, 25, true, 50])
    expect([world.time, world.stats().steps]).toEqual([75, 2])
    for (const dtMs of [-1, NaN, Infinity]) expect(() => world.step(dtMs)).toThrow(RangeError)
  })

  test('a system can be taken out, also by another one in the middle of a step', () => {
    const world = new World()
    const log: string[] = []
    world.addSystem(() => {
      log.push('a')
      undo()
    })
    const undo = world.addSystem(() => void log.push('b'))
    world.addSystem(() => void log.push('c'))
    world.step(1)
    undo()
    world.step(1)
    expect(log).toEqual(['a', 'c', 'a', 'c'])
  })

  test('what a system spawns takes part in the systems and ticks after it', () => {
    const world = new World()
    let found = -1
    let ticker: Ticker | undefined
    world.addSystem(() => {
      ticker ??= world.spawn(Ticker)
      found = world.query(Counter).count
    })
    world.addSystem(() => void (found += 10 * world.query(Counter).count))
    world.step(1)
    expect(found).toBe(10)
    expect(ticker!.counter.ticks).toBe(1)
  })

  test('cannot be called from inside itself', () => {
    const world = new World()
    world.addSystem(() => world.step(1))
    expect(() => world.step(1)).toThrow(coded('ECS_STEPPING'))
    world.spawn(Entity)
    const inEach = new World()
    inEach.spawn(Entity)
    expect(() => inEach.find(Entity).each(() => inEach.step(1))).toThrow(coded('ECS_STEPPING'))
  })

  test('an order that is no number is refused', () => {
    const world = new World()
    expect(() => world.addSystem(() => {}, { order: NaN })).toThrow(RangeError)
  })
})

describe('changes during a step', () => {
  test('onTick is called for every instance once, and no more for what is destroyed meanwhile', () => {
    const world = new World()
    const log: number[] = []
    const all: Entity[] = []
    class Killer extends Component.with({ index: f64() }) {
      override onTick(): void {
        log.push(this.index)
        if (this.index === 2) for (const victim of [0, 2, 3, 5]) all[victim]!.destroy()
        if (this.index === 4) world.spawn(Thing, { init: (thing) => (thing.killer.index = 99) })
      }
    }
    class Thing extends Entity.with({ killer: Killer }) {}
    for (let index = 0; index < 7; index += 1)
      all.push(world.spawn(Thing, { init: (thing) => (thing.killer.index = index) }))
    world.step(1)
    expect(log).toEqual([0, 1, 2, 4, 6])
    log.length = 0
    world.step(1)
    expect(log.sort((a, b) => a - b)).toEqual([1, 4, 6, 99])
  })

  test('so it is for onTick of entities', () => {
    const world = new World()
    let ticks = 0
    class Pair extends Entity {
      other: Pair | undefined
      override onTick(): void {
        ticks += 1
        this.other?.destroy()
      }
    }
    const one = world.spawn(Pair)
    one.other = world.spawn(Pair)
    world.step(1)
    expect([ticks, world.size]).toEqual([1, 1])
  })

  test('lists stand still inside a system and are up to date in the next', () => {
    const world = new World()
    const seen: number[] = []
    const all = world.find(Ticker)
    world.spawn(Ticker)
    world.addSystem(() => {
      all.first()!.destroy()
      world.spawn(Ticker)
      world.spawn(Ticker)
      seen.push(all.count, world.size, [...all].length)
    })
    world.addSystem(() => void seen.push(all.count))
    world.step(1)
    expect(seen).toEqual([1, 2, 0, 2])
  })

  test('onStart of what is spawned in a system comes when the system ends', () => {
    const { log, Thing } = noted()
    const world = new World()
    world.addSystem(() => {
      if (world.size > 0) return
      world.spawn(Thing)
      log.push('end of system')
    })
    world.addSystem(() => void log.push('next system'))
    world.step(1)
    expect(log.slice(2)).toEqual([
      'entity awake',
      'end of system',
      'a start',
      'b start',
      'entity start',
      'next system',
    ])
  })

  test('a component that is removed and added again in one system is replaced everywhere', () => {
    const world = new World()
    class Mark extends Component {}
    const entity = world.spawn(Entity)
    const old = entity.add(Mark)
    let fresh: Mark | undefined
    world.addSystem(() => {
      entity.remove(Mark)
      fresh = entity.add(Mark)
      expect([...world.query(Mark)]).toEqual([])
    })
    world.step(1)
    expect(fresh).not.toBe(old)
    expect([...world.query(Mark)]).toEqual([[fresh, entity]])
  })

  test('spawned and destroyed in one system, an entity starts nowhere', () => {
    const { log, Thing } = noted()
    const world = new World()
    world.addSystem(() => void world.spawn(Thing).destroy())
    world.step(1)
    expect(log.filter((line) => line.endsWith('start'))).toEqual([])
    expect(log.filter((line) => line.endsWith('destroy'))).toHaveLength(3)
    expect(world.find(Entity).count).toBe(0)
  })
})

describe('errors', () => {
  class Faulty extends Component {
    override onTick(): void {
      throw new Error('tick')
    }
  }
  class Mixed extends Entity.with({ faulty: Faulty, counter: Counter }) {}

  test('a throwing system or tick is reported and stops no other', () => {
    const seen: unknown[] = []
    const world = new World({
      onError: (error, { phase, name, entity }) =>
        seen.push([(error as Error).message, phase, name, entity?.id]),
    })
    world.spawn(Mixed, { id: '1' })
    world.spawn(Mixed, { id: '2' })
    let ran = 0
    world.addSystem(function broken() {
      throw new Error('system')
    })
    world.addSystem(() => void (ran += 1))
    world.step(1)
    expect(seen).toEqual([
      ['system', 'system', 'broken', undefined],
      ['tick', 'tick', 'Faulty', '1'],
      ['tick', 'tick', 'Faulty', '2'],
    ])
    expect([...world.query(Counter)].map(([counter]) => counter.ticks)).toEqual([1, 1])
    expect([ran, world.time, world.stats().errors]).toEqual([1, 1, 3])
  })

  test('so are throwing onStart and onDestroy hooks', () => {
    const seen: unknown[] = []
    class Bad extends Component {
      override onStart(): void {
        throw new Error('start')
      }
      override onDestroy(): void {
        throw new Error('destroy')
      }
    }
    const { A, log } = noted()
    class Thing extends Entity.with({ a: A, bad: Bad }) {}
    const world = new World({
      onError: (error, { phase }) => seen.push([(error as Error).message, phase]),
    })
    const thing = world.spawn(Thing)
    expect(thing.alive).toBe(true)
    thing.destroy()
    expect(seen).toEqual([
      ['start', 'start'],
      ['destroy', 'destroy'],
    ])
    expect(log).toEqual(['a awake', 'a start', 'a destroy'])
  })

  test('without onError all the others run and then the call throws', () => {
    const world = new World()
    world.spawn(Mixed)
    const second = world.spawn(Mixed)
    let caught: unknown
    try {
      world.step(1)
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(AggregateError)
    expect((caught as AggregateError).errors).toHaveLength(2)
    expect([...world.query(Counter)].map(([counter]) => counter.ticks)).toEqual([1, 1])
    second.destroy()
    expect(() => world.step(1)).toThrow(/^tick$/)
    expect(world.time).toBe(2)
    world.clear()
    world.step(1)
  })

  test('an onError that throws stops nothing either', () => {
    const world = new World({
      onError: () => {
        throw new Error('second')
      },
    })
    world.spawn(Mixed)
    expect(() => world.step(1)).toThrow('second')
    expect(world.query(Counter).first()![0].ticks).toBe(1)
    expect(world.time).toBe(1)
  })

  test('a callback of each that throws ends that walk, and the world goes on', () => {
    const world = new World()
    world.spawn(Ticker)
    expect(() =>
      world.query(Counter).each((_, entity) => {
        entity.destroy()
        throw new Error('mine')
      }),
    ).toThrow('mine')
    expect(world.query(Counter).count).toBe(0)
    world.step(1)
  })

  test('only entity classes can be spawned', () => {
    expect(() => new World().spawn(Counter as unknown as typeof Entity)).toThrow(TypeError)
  })
})
