import { copyBytes } from '../copy.ts'
import type { SipHash } from './siphash.ts'

// Where things lie in the memory of the module, in bytes.
const TAG = 0
const KEY = 8
const MESSAGE = 24
const TAG_WORD = TAG / 4
const KEY_WORD = KEY / 4

const I64 = 0x7e
const I32 = 0x7f
const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const i32 = (value: number): number[] => [0x41, ...signed(BigInt(value))]
const i64 = (value: bigint): number[] => [0x42, ...signed(BigInt.asIntN(64, value))]
const load64 = (at: number): number[] => [0x29, 0, at]
const store64 = (at: number): number[] => [0x37, 0, at]
const store8 = (at: number): number[] => [0x3a, 0, at]
const ADD_32 = 0x6a
const AND_32 = 0x71
const AT_MOST_32 = 0x4d
const ADD = 0x7c
const XOR = 0x85
const ROTATE = 0x89
const LOOP = [0x03, 0x40]
const LOOP_IF = [0x0d, 0]
const END = 0x0b

/** A number as LEB128. */
function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn)
  const rest = value >> 7n
  const isLast = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)
  return isLast ? [low] : [low | 0x80, ...signed(rest)]
}

const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
]
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes]
const section = (id: number, items: readonly (readonly number[])[]): number[] => [
  id,
  ...sized(vector(items)),
]
const named = (name: string): number[] => sized([...name].map((letter) => letter.charCodeAt(0)))

// The locals of the function: its argument, the four words of the state, a block, and where it and the last one lie.
const LENGTH = 0
const [V0, V1, V2, V3, BLOCK] = [1, 2, 3, 4, 5]
const [AT, LAST] = [6, 7]

const add = (to: number, what: number): number[] => [...get(to), ...get(what), ADD, ...set(to)]
const xor = (to: number, what: number): number[] => [...get(to), ...get(what), XOR, ...set(to)]
const rotate = (word: number, by: bigint): number[] => [
  ...get(word),
  ...i64(by),
  ROTATE,
  ...set(word),
]
const mask = (word: number, source: number, constant: bigint): number[] => [
  ...i32(0),
  ...load64(source),
  ...i64(constant),
  XOR,
  ...set(word),
]

const ROUND = [
  ...[...add(V0, V1), ...rotate(V1, 13n), ...xor(V1, V0), ...rotate(V0, 32n)],
  ...[...add(V2, V3), ...rotate(V3, 16n), ...xor(V3, V2)],
  ...[...add(V0, V3), ...rotate(V3, 21n), ...xor(V3, V0)],
  ...[...add(V2, V1), ...rotate(V1, 17n), ...xor(V1, V2), ...rotate(V2, 32n)],
]

const BODY = [
  ...mask(V0, KEY, 0x736f6d6570736575n),
  ...mask(V1, KEY + 8, 0x646f72616e646f6dn),
  ...mask(V2, KEY, 0x6c7967656e657261n),
  ...mask(V3, KEY + 8, 0x7465646279746573n),
  // The last block: what is left, zeros, and the length in its last byte.
  ...[...get(LENGTH), ...i32(-8), AND_32, ...set(LAST)],
  ...[...get(LENGTH), ...i64(0n), ...store64(MESSAGE)],
  ...[...get(LAST), ...get(LENGTH), ...store8(MESSAGE + 7)],
  ...LOOP,
  ...[...get(AT), ...load64(MESSAGE), ...set(BLOCK)],
  ...[...xor(V3, BLOCK), ...ROUND, ...ROUND, ...xor(V0, BLOCK)],
  ...[...get(AT), ...i32(8), ADD_32, ...set(AT)],
  ...[...get(AT), ...get(LAST), AT_MOST_32, ...LOOP_IF],
  END,
  ...[...get(V2), ...i64(0xffn), XOR, ...set(V2)],
  ...[...ROUND, ...ROUND, ...ROUND, ...ROUND],
  ...[...xor(V0, V1), ...xor(V2, V3), ...xor(V0, V2)],
  ...[...i32(0), ...get(V0), ...store64(TAG)],
  END,
]

/** A module of one function, which hashes so many bytes of its memory. */
const MODULE = [
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [[0x60, ...vector([[I32]]), ...vector([])]]),
  ...section(3, [[0]]),
  ...section(5, [[0, 1]]),
  ...section(7, [
    [...named('memory'), 2, 0],
    [...named('hash'), 0, 0],
  ]),
  ...section(10, [
    sized([
      ...vector([
        [5, I64],
        [2, I32],
      ]),
      ...BODY,
    ]),
  ]),
]

interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => {
    readonly exports: { readonly memory: { buffer: ArrayBuffer }; hash(length: number): void }
  }
}

/** With real 64-bit words: three to five times as fast. `undefined` where there is no WebAssembly. */
export function siphash24Wasm(): SipHash | undefined {
  const { WebAssembly } = globalThis as { readonly WebAssembly?: WebAssemblyApi }
  if (WebAssembly === undefined) return undefined
  const { memory, hash } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(MODULE)))
    .exports
  const memoryBytes = new Uint8Array(memory.buffer)
  const words = new Int32Array(memory.buffer)
  return (key, keyAt, bytes, offset, end, out) => {
    words[KEY_WORD] = key[keyAt]!
    words[KEY_WORD + 1] = key[keyAt + 1]!
    words[KEY_WORD + 2] = key[keyAt + 2]!
    words[KEY_WORD + 3] = key[keyAt + 3]!
    copyBytes(bytes, offset, end - offset, memoryBytes, MESSAGE)
    hash(end - offset)
    out[0] = words[TAG_WORD]!
    out[1] = words[TAG_WORD + 1]!
  }
}
