import { checkJson } from './json.ts'
import { EcsError } from './errors.ts'

/** How a field stores its value. */
export type FieldKind =
  | 'f32'
  | 'f64'
  | 'i8'
  | 'i16'
  | 'i32'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'bool'
  | 'str'
  | 'json'

/** Who is told when a synced field changes: everybody, the entity's owner, or everybody but the owner. */
export type SyncAudience = 'all' | 'owner' | 'others'

interface FieldTraits {
  readonly persisted: boolean
  readonly audience: SyncAudience | undefined
  readonly clamped: boolean
  readonly min: number
  readonly max: number
}

const NO_LIMITS: FieldTraits = {
  persisted: false,
  audience: undefined,
  clamped: false,
  min: -Infinity,
  max: Infinity,
}

/** A declared field of a component. Immutable: every method returns a new one, so a declaration can be shared. */
export class Field<T> {
  readonly kind: FieldKind
  /** What a new component starts with. */
  readonly initial: T
  readonly persisted: boolean
  readonly audience: SyncAudience | undefined
  /** Values outside the range are moved to its nearest end and fractions of whole-number kinds are cut off, instead of refused. */
  readonly clamped: boolean
  readonly min: number
  readonly max: number

  constructor(kind: FieldKind, initial: T, traits: Partial<FieldTraits> = {}) {
    const { persisted, audience, clamped, min, max } = { ...NO_LIMITS, ...traits }
    this.kind = kind
    this.persisted = persisted
    this.audience = audience
    this.clamped = clamped
    this.min = min
    this.max = max
    this.initial = coerce(this, initial, 'initial value') as T
  }

  /** Saved by `toData()` and restored by `fromData()`. */
  persist(): Field<T> {
    return new Field(this.kind, this.initial, { ...this, persisted: true })
  }

  /** Sent to clients: `takeDirty('sync')` reports its changes. */
  sync(audience: SyncAudience = 'all'): Field<T> {
    return new Field(this.kind, this.initial, { ...this, audience })
  }
}

/** A field of numbers, whose range can be narrowed. */
export class NumberField extends Field<number> {
  override persist(): NumberField {
    return new NumberField(this.kind, this.initial, { ...this, persisted: true })
  }

  override sync(audience: SyncAudience = 'all'): NumberField {
    return new NumberField(this.kind, this.initial, { ...this, audience })
  }

  /** Narrows the range of the kind. Both ends belong to it. */
  range(min: number, max: number): NumberField {
    if (!(min >= this.min && max <= this.max && min <= max))
      throw new RangeError(
        `range(${min}, ${max}) of a ${this.kind} must lie in ${this.min}..${this.max}`,
      )
    return new NumberField(this.kind, Math.min(Math.max(this.initial, min), max), {
      ...this,
      min,
      max,
    })
  }

  /** A value outside the range becomes the nearest end, and a whole-number kind cuts fractions off, instead of throwing. NaN still throws. */
  clamp(): NumberField {
    return new NumberField(this.kind, this.initial, { ...this, clamped: true })
  }
}

const MAX_F32 = 3.4028234663852886e38

const number = (kind: FieldKind, initial: number, min: number, max: number): NumberField =>
  new NumberField(kind, initial, { min, max })

/** Any finite number. */
export const f64 = (initial = 0): NumberField =>
  number('f64', initial, -Number.MAX_VALUE, Number.MAX_VALUE)
/** A finite number, rounded to single precision when it is written. */
export const f32 = (initial = 0): NumberField => number('f32', initial, -MAX_F32, MAX_F32)
/** A whole number from -128 to 127. */
export const i8 = (initial = 0): NumberField => number('i8', initial, -0x80, 0x7f)
/** A whole number from -32,768 to 32,767. */
export const i16 = (initial = 0): NumberField => number('i16', initial, -0x8000, 0x7fff)
/** A whole number from -2,147,483,648 to 2,147,483,647. */
export const i32 = (initial = 0): NumberField => number('i32', initial, -0x80000000, 0x7fffffff)
/** A whole number from 0 to 255. */
export const u8 = (initial = 0): NumberField => number('u8', initial, 0, 0xff)
/** A whole number from 0 to 65,535. */
export const u16 = (initial = 0): NumberField => number('u16', initial, 0, 0xffff)
/** A whole number from 0 to 4,294,967,295. */
export const u32 = (initial = 0): NumberField => number('u32', initial, 0, 0xffffffff)
/** `true` or `false`. */
export const bool = (initial = false): Field<boolean> => new Field('bool', initial)
/** A string. */
export const str = (initial = ''): Field<string> => new Field('str', initial)
/**
 * A tree of null, booleans, finite numbers, strings, `Uint8Array`, arrays and plain objects. It is kept by
 * reference: after changing it in place, call `markDirty(name)`.
 */
export const json = <T>(initial: T): Field<T> => new Field('json', initial)

const fail = (message: string, where: string, value: unknown): never => {
  throw new EcsError('ECS_BAD_VALUE', `${where}: ${message}, not ${describe(value)}`)
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/**
 * The value a field stores for `value`.
 *
 * @param where - The field in words, for the error.
 * @throws {@link EcsError} `ECS_BAD_VALUE` for a value of another type or outside the range.
 */
export function coerce(field: Field<unknown>, value: unknown, where: string): unknown {
  switch (field.kind) {
    case 'bool':
      return typeof value === 'boolean' ? value : fail('must be a boolean', where, value)
    case 'str':
      return typeof value === 'string' ? value : fail('must be a string', where, value)
    case 'json':
      checkJson(value, where)
      return value
    default:
      return coerceNumber(field, value, where)
  }
}

function coerceNumber(field: Field<unknown>, value: unknown, where: string): number {
  const { kind, min, max, clamped } = field
  if (typeof value !== 'number' || Number.isNaN(value))
    return fail('must be a number', where, value)
  const isWhole = kind !== 'f64' && kind !== 'f32'
  if (clamped) {
    const inside = Math.min(Math.max(value, min), max)
    return isWhole ? Math.trunc(inside) + 0 : kind === 'f32' ? Math.fround(inside) : inside
  }
  if (!(value >= min && value <= max)) return fail(`must lie in ${min}..${max}`, where, value)
  if (!isWhole) return kind === 'f32' ? Math.fround(value) : value
  return Number.isInteger(value) ? value + 0 : fail('must be a whole number', where, value)
}
