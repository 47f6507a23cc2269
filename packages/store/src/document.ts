import { types } from 'node:util'
import { StoreError } from './errors.ts'

// What JSON lacks is written as an object with one key that begins with `$`. Keys of the data that
// begin with `$` get a second one, so the two can never be taken for each other.
const TAG = '$'

/** Levels of objects, arrays, maps and sets inside one another. */
const MAX_DEPTH = 64
/** A map adds two levels of JSON to its own. */
const MAX_JSON_DEPTH = 4 * MAX_DEPTH

type TypedArray = ArrayBufferView & { readonly BYTES_PER_ELEMENT: number }
type TypedArrayClass = {
  new (buffer: ArrayBuffer): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

/** By name; `Float16Array` exists only in newer versions of Node. */
const TYPED_ARRAYS: ReadonlyMap<string, TypedArrayClass> = new Map(
  [
    'Uint8Array',
    'Uint8ClampedArray',
    'Int8Array',
    'Uint16Array',
    'Int16Array',
    'Uint32Array',
    'Int32Array',
    'BigUint64Array',
    'BigInt64Array',
    'Float16Array',
    'Float32Array',
    'Float64Array',
  ].flatMap((name) => {
    const found: unknown = Reflect.get(globalThis, name)
    return typeof found === 'function' ? [[name, found as TypedArrayClass] as const] : []
  }),
)

/**
 * Writes data as JSON text, with tags for what JSON lacks.
 *
 * @throws StoreError `STORE_VALUE` naming the place of a value that cannot be stored.
 */
export function encodeDocument(data: unknown, maxBytes: number): string {
  const text = JSON.stringify(toJson(data, 'data', 0))
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw new StoreError('STORE_VALUE', `data is ${bytes} bytes as text, over ${maxBytes}`)
  }
  return text
}

/**
 * Reads what `encodeDocument` wrote.
 *
 * @throws StoreError `STORE_CORRUPT` for any other text.
 */
export function decodeDocument(text: string): unknown {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new StoreError('STORE_CORRUPT', 'the stored text is not JSON', { cause })
  }
  return fromJson(json, 0)
}

function toJson(value: unknown, path: string, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : String(value) }
    case 'bigint':
      return { $bigint: value.toString() }
    case 'object':
      return value === null ? null : objectToJson(value, path, depth)
    default:
      throw refused(path, value === undefined ? 'undefined' : `a ${typeof value}`)
  }
}

function objectToJson(value: object, path: string, depth: number): unknown {
  if (depth === MAX_DEPTH) {
    throw new StoreError(
      'STORE_VALUE',
      `${path} lies deeper than ${MAX_DEPTH} levels, or contains itself`,
    )
  }
  if (Array.isArray(value)) {
    // Not `map`, which would pass over holes.
    return Array.from(value, (item, index) => toJson(item, `${path}[${index}]`, depth + 1))
  }
  if (types.isTypedArray(value)) return typedArrayToJson(value, path)
  if (types.isDate(value)) {
    const ms = value.getTime()
    if (Number.isNaN(ms)) throw refused(path, 'an invalid Date')
    return { $date: ms }
  }
  if (types.isMap(value)) {
    return {
      $map: Array.from(value, ([key, item], index) => [
        toJson(key, `${path}.keys[${index}]`, depth + 1),
        toJson(item, `${path}.values[${index}]`, depth + 1),
      ]),
    }
  }
  if (types.isSet(value)) {
    return {
      $set: Array.from(value, (item, index) => toJson(item, `${path}[${index}]`, depth + 1)),
    }
  }
  return plainObjectToJson(value, path, depth)
}

function plainObjectToJson(value: object, path: string, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Plain in any realm: made by a literal, or without a prototype.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw refused(path, `an instance of ${value.constructor?.name ?? 'a class'}`)
  }
  const json: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    if (key === '__proto__') throw refused(`${path}.__proto__`, 'a key of this name')
    json[key.startsWith(TAG) ? TAG + key : key] = toJson(item, `${path}.${key}`, depth + 1)
  }
  return json
}

function typedArrayToJson(value: TypedArray, path: string): unknown {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (types.isUint8Array(value)) return { $bytes: bytes.toString('base64') }
  for (const [name, TypedArrayOfName] of TYPED_ARRAYS) {
    if (value instanceof TypedArrayOfName) return { $array: [name, bytes.toString('base64')] }
  }
  throw refused(path, 'a typed array of an unknown kind')
}

function refused(path: string, what: string): StoreError {
  return new StoreError('STORE_VALUE', `${path} is ${what}, which cannot be stored`)
}

function fromJson(json: unknown, depth: number): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (depth === MAX_JSON_DEPTH) throw corrupt('it is nested too deep')
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1))
  const entries = Object.entries(json)
  const [key, item] = entries[0] ?? ['', undefined]
  if (key.startsWith(TAG) && !key.startsWith(TAG + TAG)) {
    if (entries.length !== 1) throw corrupt(`${key} stands beside other keys`)
    return tagged(key, item, depth)
  }
  const value: Record<string, unknown> = {}
  for (const [name, inner] of entries) {
    if (name === '__proto__') throw corrupt('it has a key __proto__')
    if (!name.startsWith(TAG)) value[name] = fromJson(inner, depth + 1)
    else if (name.startsWith(TAG + TAG)) value[name.slice(1)] = fromJson(inner, depth + 1)
    else throw corrupt(`${name} stands beside other keys`)
  }
  return value
}

const NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
])

function tagged(tag: string, json: unknown, depth: number): unknown {
  switch (tag) {
    case '$bytes':
      if (typeof json === 'string') return new Uint8Array(fromBase64(json))
      break
    case '$array':
      if (Array.isArray(json)) return typedArray(json[0], json[1])
      break
    case '$number': {
      const number = NUMBERS.get(json)
      if (number !== undefined) return number
      break
    }
    case '$bigint':
      if (typeof json === 'string' && /^-?\d+$/.test(json)) return BigInt(json)
      break
    case '$date':
      if (typeof json === 'number') return new Date(json)
      break
    case '$set':
      if (Array.isArray(json)) return new Set(json.map((item) => fromJson(item, depth + 2)))
      break
    case '$map':
      if (Array.isArray(json)) return new Map(json.map((entry) => mapEntry(entry, depth + 3)))
      break
  }
  throw corrupt(`${tag} is unknown or has a wrong value`)
}

function mapEntry(json: unknown, depth: number): [unknown, unknown] {
  if (!Array.isArray(json) || json.length !== 2) throw corrupt('an entry of $map is not a pair')
  return [fromJson(json[0], depth), fromJson(json[1], depth)]
}

function typedArray(name: unknown, base64: unknown): TypedArray {
  const TypedArrayOfName = typeof name === 'string' ? TYPED_ARRAYS.get(name) : undefined
  if (TypedArrayOfName === undefined || typeof base64 !== 'string') {
    throw corrupt(`${String(name)} is not a typed array here`)
  }
  const buffer = fromBase64(base64)
  if (buffer.byteLength % TypedArrayOfName.BYTES_PER_ELEMENT !== 0) {
    throw corrupt(`${buffer.byteLength} bytes do not fill a ${String(name)}`)
  }
  return new TypedArrayOfName(buffer)
}

/** The bytes in a buffer of their own; `Buffer.from` may lie anywhere in a shared pool. */
function fromBase64(base64: string): ArrayBuffer {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}

function corrupt(why: string): StoreError {
  return new StoreError('STORE_CORRUPT', `the stored text is not a document: ${why}`)
}
