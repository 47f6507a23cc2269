import { blueprintOf, componentTypeOf, type ComponentType, type EntityClass } from './blueprint.ts'
import { CaughtErrors } from './caught-errors.ts'
import type { Changes } from './changes.ts'
import type { Component } from './component.ts'
import { GONE, stateOf } from './component-state.ts'
import { constructEntity, constructPart } from './construction.ts'
import { EntityCore } from './entity-core.ts'
import { EntityIds } from './entity-ids.ts'
import { LiveEntityList } from './entity-list.ts'
import { Entity, type ComponentClass } from './entity.ts'
import { EcsError } from './errors.ts'
import { Handles } from './handles.ts'
import { awake, end, endPart, start } from './life.ts'
import { Lists } from './lists.ts'
import { makeTickLoop, type EachLoop } from './loops.ts'
import type { Members } from './members.ts'
import { checkedOptions, type SpawnOptions, type WorldOptions } from './options.ts'
import { LiveQuery } from './query.ts'
import { Schedule, type Task } from './schedule.ts'
import type { Shape } from './shape.ts'

/** After so many rounds of destroying, entities that spawn others when they are destroyed will never end. */
const CLEAR_ROUNDS = 16
/** Places of the queue that are kept for the next changes. */
const MAX_IDLE_QUEUE = 1024

/** What a world does, without its public face: entities and components know it by this class. */
export class Engine {
  readonly world: unknown
  readonly changes: Changes = { depth: 0, gone: 0 }
  readonly #options: ReturnType<typeof checkedOptions>
  readonly #handles = new Handles()
  readonly #lists = new Lists(() => this.#handles.all())
  readonly #ids: EntityIds
  readonly #byId = new Map<string, EntityCore>()
  readonly #roots = new Map<EntityClass, Shape>()
  readonly #ticking = new Set<ComponentType>()
  readonly #queries = new Map<string, LiveQuery>()
  readonly #entityLists = new Map<EntityClass, LiveEntityList>()
  readonly #schedule = new Schedule()
  /** Entities whose lists are out of date. */
  readonly #queue: (EntityCore | undefined)[] = []
  #queued = 0
  readonly #errors: CaughtErrors
  #isSettling = false
  #isStepping = false
  #time = 0
  #steps = 0

  constructor(world: unknown, options: WorldOptions) {
    this.world = world
    this.#options = checkedOptions(options)
    this.#errors = new CaughtErrors(this.#options.onError)
    this.#ids = new EntityIds(this.#options.random, this.#options.idPrefix)
  }

  get size(): number {
    return this.#handles.size
  }

  get time(): number {
    return this.#time
  }

  find(id: string): EntityCore | undefined {
    return this.#byId.get(id)
  }

  at(handle: number): EntityCore | undefined {
    return this.#handles.find(handle)
  }

  /** Names an entity that was spawned without an id. */
  nameFor(core: EntityCore): string {
    let id = this.#ids.next()
    while (this.#byId.has(id)) id = this.#ids.next()
    if (core.isAlive) this.#byId.set(id, core)
    return id
  }

  query(classes: readonly ComponentClass[], excluded: readonly ComponentClass[]): LiveQuery {
    const { key, members } = this.#lists.ofComponents(classes, excluded)
    let query = this.#queries.get(key)
    if (query === undefined)
      this.#queries.set(key, (query = new LiveQuery(this, members, classes, excluded)))
    return query
  }

  list(Class: EntityClass): LiveEntityList {
    let list = this.#entityLists.get(Class)
    if (list === undefined) {
      list = new LiveEntityList(this, this.#lists.ofEntities(Class))
      this.#entityLists.set(Class, list)
    }
    return list
  }

  // ---- entities

  spawn<E extends Entity>(Class: new () => E, options: SpawnOptions<E>): E {
    const { id } = options
    if (id === '') throw new RangeError('id must not be empty')
    if (id !== undefined && this.#byId.has(id))
      throw new EcsError('ECS_DUPLICATE_ID', `an entity with id "${id}" is alive`)
    if (this.#handles.size >= this.#options.maxEntities)
      throw new EcsError('ECS_WORLD_FULL', `the world holds ${this.#handles.size} entities`)
    const shape = this.#roots.get(Class) ?? this.#addRoot(Class)
    const core = new EntityCore(shape.blueprint, this, shape, id)
    const entity = constructEntity(Class, core)
    core.handle = this.#handles.take(core)
    core.isAlive = true
    if (id !== undefined) this.#byId.set(id, core)
    try {
      if (options.data !== undefined) entity.fromData(options.data)
      options.init?.(entity)
      awake(core)
    } catch (error) {
      if (core.isAlive) this.#end(core)
      throw this.#withCaught(error)
    }
    if (core.isAlive) {
      core.isReady = true
      this.#enqueue(core)
    }
    this.#finish()
    return entity
  }

  destroy(core: EntityCore): boolean {
    if (!core.isAlive) return false
    this.#end(core)
    this.#finish()
    return true
  }

  add(
    core: EntityCore,
    Class: new () => Component,
    init: ((component: Component) => void) | undefined,
  ): Component {
    const name = core.blueprint.Class.name
    if (!core.isAlive) throw new EcsError('ECS_DESTROYED', `${name} was destroyed`)
    if (core.types.exactIndexOf(Class) !== -1)
      throw new EcsError('ECS_COMPONENT_PRESENT', `${name} already has a ${Class.name}`)
    const type = componentTypeOf(Class)
    const part = constructPart(Class, type, core.entity)
    this.#startTicking(type)
    const shape = this.#lists.shapeWith(core.shape!, type)
    core.parts.splice(shape.types.exactIndexOf(Class), 0, part)
    this.#reshape(core, shape)
    try {
      init?.(part)
      part.onAwake?.()
    } catch (error) {
      this.#detach(core, part)
      this.#settle()
      throw this.#withCaught(error)
    }
    this.#finish()
    return part
  }

  remove(core: EntityCore, Class: ComponentClass): boolean {
    const index = core.types.indexOf(Class)
    if (index === -1 || !core.isAlive) return false
    if (index < core.blueprint.names.length)
      throw new EcsError(
        'ECS_DECLARED_COMPONENT',
        `${core.blueprint.Class.name} declares ${Class.name}: only added components can be removed`,
      )
    const part = core.parts[index]!
    this.#detach(core, part)
    endPart(core, part, this.#errors)
    this.#finish()
    return true
  }

  clear(): void {
    this.changes.depth += 1
    for (let round = 0; this.#handles.size > 0 && round < CLEAR_ROUNDS; round += 1)
      for (const core of this.#handles.all()) if (core.isAlive) this.#end(core)
    this.changes.depth -= 1
    this.#finish()
    if (this.#handles.size > 0)
      throw new EcsError(
        'ECS_CLEAR_ENDLESS',
        `${this.#handles.size} entities are left after ${CLEAR_ROUNDS} rounds: onDestroy spawns others each time`,
      )
  }

  register(Class: new () => Entity | Component): void {
    if (!(Class.prototype instanceof Entity) && Class !== Entity)
      constructPart(
        Class as new () => Component,
        componentTypeOf(Class as new () => Component),
        undefined,
      )
    else if (!this.#roots.has(Class as new () => Entity)) {
      const { blueprint } = this.#addRoot(Class as new () => Entity)
      const core = new EntityCore(blueprint, this)
      constructEntity(Class as new () => Entity, core)
    }
  }

  // ---- stepping

  addSystem(
    run: (dtMs: number) => void,
    { name, order }: { name: string; order: number },
  ): () => void {
    return this.#schedule.add({ name, order: checkedOrder(name, order), rank: 0, run })
  }

  step(dtMs: number): void {
    if (!(dtMs >= 0 && dtMs < Infinity))
      throw new RangeError(`dtMs must be a finite number from 0, not ${dtMs}`)
    if (this.#isStepping || this.#isSettling || this.changes.depth > 0)
      throw new EcsError('ECS_STEPPING', 'the world is already running a step, a loop or a hook')
    this.#isStepping = true
    this.#schedule.run((task) => this.#runTask(task, dtMs))
    this.#isStepping = false
    this.#time += dtMs
    this.#steps += 1
    this.#raise()
  }

  /** Runs a loop during which lists stand still. */
  walk(loop: EachLoop, fn: (...row: unknown[]) => void, members: Members): void {
    this.changes.depth += 1
    try {
      loop(fn, members, this.changes)
    } catch (error) {
      this.changes.depth -= 1
      this.#settle()
      throw this.#withCaught(error)
    }
    this.changes.depth -= 1
    this.#finish()
  }

  stats(): { entities: number; shapes: number; lists: number; steps: number; errors: number } {
    const { shapeCount, listCount } = this.#lists
    return {
      entities: this.#handles.size,
      shapes: shapeCount,
      lists: listCount,
      steps: this.#steps,
      errors: this.#errors.count,
    }
  }

  #runTask(task: Task, dtMs: number): void {
    this.changes.depth += 1
    try {
      task.run(dtMs)
    } catch (error) {
      this.#errors.report(error, { phase: 'system', name: task.name })
    }
    this.changes.depth -= 1
    this.#settle()
  }

  // ---- classes

  #addRoot(Class: new () => Entity): Shape {
    if (!(Class.prototype instanceof Entity) && Class !== Entity)
      throw new TypeError(`${String(Class.name)} does not extend Entity`)
    const blueprint = blueprintOf(Class)
    const shape = this.#lists.shapeOf(blueprint)
    for (const type of blueprint.types.list) this.#startTicking(type)
    if (blueprint.hooks.onTick !== undefined)
      this.#addTicks(Class, 'entity', this.#lists.ofBlueprint(blueprint).entities)
    this.#roots.set(Class, shape)
    return shape
  }

  #startTicking(type: ComponentType): void {
    if (!type.hasTick || this.#ticking.has(type)) return
    this.#ticking.add(type)
    this.#addTicks(type.Class, 'component', this.#lists.ofType(type).columns[0]!)
  }

  #addTicks(
    Class: ComponentClass | EntityClass,
    kind: 'component' | 'entity',
    items: readonly (Component | Entity)[],
  ): void {
    const { name } = Class
    const loop = makeTickLoop(kind)
    const fail = (error: unknown, item: Component | Entity): void =>
      this.#errors.report(error, {
        phase: 'tick',
        name,
        entity: item instanceof Entity ? item : item.entity,
      })
    const order = checkedOrder(name, (Class as unknown as { tickOrder: number }).tickOrder)
    this.#schedule.add({
      name,
      order,
      rank: 1,
      run: (dtMs) => loop(items, dtMs, this.changes, fail),
    })
  }

  // ---- life

  #end(core: EntityCore): void {
    core.isAlive = false
    if (core.hasId) this.#byId.delete(core.id)
    this.#handles.free(core.handle)
    if (core.listed !== undefined) this.changes.gone += 1
    // Before the hooks: whatever they change brings the lists up to date, and this belongs to it.
    if (core.isReady) this.#enqueue(core)
    end(core, this.#errors)
  }

  /** Takes an added component off its entity. Nothing to do when the entity ended meanwhile. */
  #detach(core: EntityCore, part: Component): void {
    const index = core.parts.indexOf(part)
    if (index === -1 || !core.isAlive) return
    stateOf(part)['~life'] = GONE
    if (core.listed !== undefined) this.changes.gone += 1
    core.parts.splice(index, 1)
    this.#reshape(core, this.#lists.shapeWithout(core.shape!, core.types.list[index]!))
  }

  #reshape(core: EntityCore, shape: Shape): void {
    core.shape = shape
    core.types = shape.types
    if (core.isReady) this.#enqueue(core)
  }

  // ---- lists

  #enqueue(core: EntityCore): void {
    if (core.isQueued) return
    core.isQueued = true
    this.#queue[this.#queued] = core
    this.#queued += 1
  }

  /** Brings the lists up to date, unless somebody walks them. */
  #settle(): void {
    if (this.#queued === 0 || this.#isSettling || this.changes.depth > 0) return
    this.#isSettling = true
    // It grows while it is worked off: hooks may change the world again.
    for (let next = 0; next < this.#queued; next += 1) {
      const core = this.#queue[next]!
      this.#queue[next] = undefined
      this.#relist(core)
    }
    // Emptied by its count: an array that is cut to nothing takes new memory for each change.
    this.#queued = 0
    if (this.#queue.length > MAX_IDLE_QUEUE) this.#queue.length = 0
    this.changes.gone = 0
    this.#isSettling = false
  }

  #relist(core: EntityCore): void {
    core.isQueued = false
    const { shape, listed } = core
    if (!core.isAlive) {
      listed?.leave(core)
      return
    }
    if (listed === undefined) shape!.enter(core)
    else listed.change(core, shape!)
    if (shape!.needsStart) start(core, this.#errors)
  }

  #finish(): void {
    this.#settle()
    this.#raise()
  }

  /** Throws what nobody was told of, once the outermost call of the world ends. */
  #raise(): void {
    if (!this.#errors.isEmpty && !this.#isBusy) throw this.#errors.take()
  }

  /** The error to throw from a call that failed. */
  #withCaught(error: unknown): unknown {
    return this.#errors.isEmpty || this.#isBusy ? error : this.#errors.take(error)
  }

  get #isBusy(): boolean {
    return this.#isStepping || this.#isSettling || this.changes.depth > 0
  }
}

function checkedOrder(name: string, order: number): number {
  if (!Number.isNaN(order) && typeof order === 'number') return order
  throw new RangeError(`order of ${name} must be a number, not ${String(order)}`)
}
