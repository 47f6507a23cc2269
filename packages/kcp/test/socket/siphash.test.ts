import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { keyWords } from '../../src/socket/siphash.ts'
import { siphash24Js } from '../../src/socket/siphash-js.ts'
import { siphash24Wasm } from '../../src/socket/siphash-wasm.ts'
import { TagCipher } from '../../src/socket/tag-cipher.ts'

// Of the paper's appendix and its reference code: key 00 01 … 0f, input 00 01 … of so many bytes.
const VECTORS: readonly (readonly [length: number, hash: string])[] = [
  [0, '310e0edd47db6f72'],
  [1, 'fd67dc93c539f874'],
  [2, '5a4fa9d909806c0d'],
  [3, '2d7efbd796666785'],
  [7, '37d1018bf50002ab'],
  [8, '6224939a79f5f593'],
  [15, 'e545be4961ca29a1'],
]
const key = keyWords(Uint8Array.from({ length: 16 }, (_, i) => i))

const wasm = siphash24Wasm()!

describe.each([
  ['JavaScript', siphash24Js],
  ['WebAssembly', wasm],
])('SipHash-2-4 in %s', (_, siphash) => {
  test.each(VECTORS)('of %i bytes is what the paper has', (length, hash) => {
    const bytes = Uint8Array.from({ length: length + 5 }, (_each, i) => i - 2)
    const out = new Int32Array(2)
    siphash(key, 0, bytes, 2, 2 + length, out)
    expect(Buffer.from(out.buffer).toString('hex')).toBe(hash)
  })
})

test('both give the same for any bytes under any key, whatever was hashed before', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 1600 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map(keyWords),
      fc.nat(20),
      (bytes, keys, offset) => {
        const from = Math.min(offset, bytes.length)
        const [js, native] = [new Int32Array(2), new Int32Array(2)]
        siphash24Js(keys, 4, bytes, from, bytes.length, js)
        wasm(keys, 4, bytes, from, bytes.length, native)
        expect(native).toEqual(js)
      },
    ),
  )
})

test('without WebAssembly the one in JavaScript is taken', () => {
  vi.stubGlobal('WebAssembly', undefined)
  onTestFinished(() => void vi.unstubAllGlobals())
  expect(siphash24Wasm()).toBeUndefined()
})

test('what one end seals the other opens, and no end its own; any change of a bit is noticed', () => {
  const keys = keyWords(Uint8Array.from({ length: 32 }, (_, i) => i * 7))
  const client = new TagCipher(keys, 'client')
  const listener = new TagCipher(keys, 'listener')
  const sealed = Uint8Array.from({ length: 60 }, (_, i) => i)
  expect(client.seal(sealed, 0, 11, 52)).toBe(60)
  expect(listener.open(sealed, 0, 11, 60)).toBe(52)
  expect(client.open(sealed, 0, 11, 60)).toBe(-1)
  for (let bit = 0; bit < 60 * 8; bit += 1) {
    const changed = sealed.slice()
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(listener.open(changed, 0, 11, 60)).toBe(-1)
  }
  for (let length = 0; length < 60; length += 1)
    expect(listener.open(sealed, 0, 11, length)).toBe(-1)
})
