import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyBlock, copyBytes, copyIn, copyOut } from '../src/copy.ts'
import { Block, FreeBlocks } from '../src/segment-pool.ts'

const copies = {
  copyBytes: (from: Block, start: number, length: number, to: Block, at: number) =>
    copyBytes(from.bytes, start, length, to.bytes, at),
  copyBlock,
  copyIn: (from: Block, start: number, length: number, to: Block, at: number) => {
    const array = Buffer.concat([Buffer.alloc(5), from.bytes]).subarray(5)
    copyIn(array, start, length, to, at)
    expect(
      Buffer.compare(to.bytes.subarray(at, at + length), array.subarray(start, start + length)),
    ).toBe(0)
    // From the second time on through its view.
    to.bytes.fill(7)
    copyIn(array, start, length, to, at)
  },
  copyOut: (from: Block, start: number, length: number, to: Block, at: number) => {
    const array = Buffer.alloc(to.bytes.length + 5).subarray(5)
    for (let turn = 0; turn < 3; turn += 1) {
      array.fill(7)
      copyOut(from, start, length, array, at)
      to.bytes.set(array)
      expect(
        Buffer.compare(
          to.bytes.subarray(at, at + length),
          from.bytes.subarray(start, start + length),
        ),
      ).toBe(0)
    }
  },
}

test.each(Object.entries(copies))('%s copies these bytes, and no others', (_name, copy) => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0xf0, 0xff))
  const input = fc.record({
    bytes: fc.uint8Array({ minLength: 400, maxLength: 400 }),
    fill: fc.array(byte, { minLength: 8, maxLength: 8 }),
    start: fc.nat(40),
    at: fc.nat(40),
    length: fc.oneof(fc.nat(24), fc.nat(360), fc.constantFrom(255, 256, 257)),
  })
  const property = fc.property(input, ({ bytes, fill, start, at, length }) => {
    const from = new Block(new FreeBlocks(400))
    const to = new Block(new FreeBlocks(400))
    // What would be a number that is none, were it read as one.
    from.bytes.set(bytes.map((value, index) => (index < 100 ? fill[index % 8]! : value)))
    to.bytes.fill(7)
    const wanted = Uint8Array.from(to.bytes)
    wanted.set(from.bytes.subarray(start, start + length), at)
    copy(from, start, length, to, at)
    expect(Buffer.compare(to.bytes, wanted)).toBe(0)
  })
  fc.assert(property, { numRuns: 500 })
})
