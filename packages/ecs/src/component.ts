import { currentOwner, MADE, stateOf } from './component-state.ts'
import { declareFields, layoutOf } from './declared-fields.ts'
import type { Entity } from './entity.ts'
import type { Field } from './fields.ts'
import { copyJson } from './json.ts'

/** Fields by name, as `Component.with` takes them. */
export type FieldMap = Readonly<Record<string, Field<unknown>>>

/** The properties that declared fields become. */
export type FieldValues<F extends FieldMap> = {
  -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

type ParentFields<B> = B extends { readonly fields: infer P } ? P : unknown

/** What `Component.with` returns: the class it was called on, with the fields as typed properties. */
export type ComponentWith<B extends abstract new () => Component, F extends FieldMap> = Omit<
  B,
  'prototype' | 'fields'
> & {
  new (): InstanceType<B> & FieldValues<F>
  readonly fields: Omit<ParentFields<B>, keyof F> & F
}

/**
 * Who asks what has changed. Each reader has marks of its own, so that saving does not hide a change from
 * synchronisation: `persist` sees persisted fields, `sync` synced ones, `any` all.
 */
export type DirtyReader = 'any' | 'persist' | 'sync'

/** Field values by name, as `toData` gives them: plain data that can be stored as JSON (or msgpack, with bytes). */
export type ComponentData = Record<string, unknown>

/** A part of an entity: data and behaviour in one class. */
export abstract class Component {
  /** The declared fields by name; empty for a plain class. */
  static readonly fields: {} = {}

  /** When its class ticks in a step: smaller runs earlier. See `SystemOptions.order`. */
  static readonly tickOrder: number = 0

  /** The entity this is part of. `undefined` only in a component constructed by hand. */
  declare readonly entity: Entity

  constructor() {
    const state = stateOf(this)
    state.entity = currentOwner()
    state['~life'] = MADE
  }

  /** Runs at spawn, when all components of the entity exist and hold their initial or restored values. */
  onAwake?(): void
  /** Runs once, when queries have begun to find the entity: after every `onAwake` of the entity. */
  onStart?(): void
  /** Runs in each step of the world. Synchronous. */
  onTick?(dtMs: number): void
  /** Runs when the entity is destroyed or this is removed from it, in the reverse order of `onAwake`. */
  onDestroy?(): void

  /** The bits of the fields written since this reader last took them; bit n is the n-th declared field. */
  takeDirty(reader: DirtyReader = 'any'): number {
    const taken = this.dirty(reader)
    if (taken !== 0) stateOf(this)[`~${reader}`] = 0
    return taken
  }

  /** As {@link takeDirty}, without taking them. */
  dirty(reader: DirtyReader = 'any'): number {
    const state = stateOf(this)
    const fresh = state['~dirty']
    if (fresh === undefined) return 0
    if (fresh !== 0) {
      const { persisted, synced } = layoutOf(this)
      state['~any']! |= fresh
      state['~persist']! |= fresh & persisted
      state['~sync']! |= fresh & synced
      state['~dirty'] = 0
    }
    return state[`~${reader}`]!
  }

  /** Marks fields as written: needed after changing the inside of a `json` field. No name marks all. */
  markDirty(...names: readonly (keyof this & string)[]): void {
    const layout = layoutOf(this)
    const state = stateOf(this)
    if (state['~dirty'] === undefined) return
    if (names.length === 0) state['~dirty'] |= layout.all
    for (const name of names) state['~dirty'] |= layout.bitOf(name)
  }

  /**
   * Values of declared fields, by name. A class with state of its own may override this and {@link fromData}.
   *
   * @param mask - Bits of the fields wanted, as `takeDirty` gives them. Default: the persisted fields.
   */
  toData(mask: number = layoutOf(this).persisted): ComponentData {
    const data: ComponentData = {}
    for (const { name, bit, field, slot } of layoutOf(this).entries) {
      if ((mask & bit) === 0) continue
      const value = (this as unknown as ComponentData)[slot]
      data[name] = field.kind === 'json' ? copyJson(value, name) : value
    }
    return data
  }

  /**
   * Writes declared fields from `data`. Names that are not declared are ignored and missing fields keep their
   * value, so that saved data survives a field that comes or goes. What was restored counts as saved: it is not
   * dirty for `persist`.
   *
   * @throws EcsError `ECS_BAD_VALUE` when a value does not fit its field.
   */
  fromData(data: ComponentData): void {
    const state = stateOf(this)
    const unsaved = this.dirty('persist')
    for (const { name, field } of layoutOf(this).entries) {
      if (!Object.hasOwn(data, name)) continue
      ;(this as unknown as ComponentData)[name] =
        field.kind === 'json' ? copyJson(data[name], name) : data[name]
    }
    if (this.dirty('persist') !== unsaved) state['~persist'] = unsaved
  }

  /**
   * A base class with these fields as properties: `class Position extends Component.with({ x: f64() }) {}`. Called
   * on a subclass it adds to the fields of that class.
   *
   * @throws EcsError `ECS_NAME_TAKEN` for a name that is no identifier or that the class already uses,
   *   `ECS_TOO_MANY_FIELDS` above 30 fields.
   */
  static with<B extends abstract new () => Component, const F extends FieldMap>(
    this: B,
    fields: F,
  ): ComponentWith<B, F> {
    return declareFields(this, fields) as ComponentWith<B, F>
  }
}
