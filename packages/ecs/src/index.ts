export { Component } from './component.ts'
export type {
  ComponentData,
  ComponentWith,
  DirtyReader,
  FieldMap,
  FieldValues,
} from './component.ts'
export { Entity } from './entity.ts'
export type { ComponentClass, ComponentMap, EntityData, EntityWith, Parts } from './entity.ts'
export type { EntityClass } from './blueprint.ts'
export type { EntityList } from './entity-list.ts'
export {
  bool,
  f32,
  f64,
  Field,
  i8,
  i16,
  i32,
  json,
  NumberField,
  str,
  u8,
  u16,
  u32,
} from './fields.ts'
export type { FieldKind, SyncAudience } from './fields.ts'
export { World } from './world.ts'
export type { System, WorldStats } from './world.ts'
export type { ErrorContext, SpawnOptions, SystemOptions, WorldOptions } from './options.ts'
export type { Instances, Query } from './query.ts'
export type { Random } from './random.ts'
export { EcsError, type EcsErrorCode } from './errors.ts'
