import { describe, expect, test } from 'vitest'
import { SegmentPool } from '../src/index.ts'
import { LENGTH, OFFSET, SendBuffer } from '../src/send-buffer.ts'

function makeBuffer(): {
  snd: SendBuffer
  push: (length: number) => void
  payloads: () => string[]
} {
  const snd = new SendBuffer(new SegmentPool(), 0)
  let letter = 0
  return {
    snd,
    push(length) {
      snd.push(Buffer.alloc(length, 97 + letter), 0, length, 0)
      snd.nxt = snd.end
      letter += 1
    },
    payloads() {
      const list: string[] = []
      for (let sn = snd.una; sn !== snd.end; sn = (sn + 1) | 0) {
        const record = snd.at(sn)
        const offset = snd.records[record + OFFSET]!
        const length = snd.records[record + LENGTH]!
        const bytes = Buffer.from(snd.block!.bytes.subarray(offset, offset + length))
        const first = String.fromCharCode(bytes[0]!)
        list.push(bytes.equals(Buffer.alloc(length, bytes[0])) ? `${first}${length}` : 'torn')
      }
      return list
    },
  }
}

describe('the byte ring', () => {
  test('keeps payloads that fit to the byte: at its end, before its tail, between head and tail', () => {
    const { snd, push, payloads } = makeBuffer()
    push(1000)
    push(536)
    const ring = snd.block!
    expect(ring.bytes).toHaveLength(1536)
    snd.shrink(1)
    push(600)
    push(399)
    expect(payloads()).toEqual(['b536', 'c600', 'd399'])
    expect(snd.block).toBe(ring)
  })

  test('does not let the head come up to the tail', () => {
    const { snd, push, payloads } = makeBuffer()
    push(1000)
    push(1000)
    snd.shrink(1)
    push(600)
    push(400)
    push(10)
    expect(payloads()).toEqual(['b1000', 'c600', 'd400', 'e10'])
  })

  test('grows without moving a byte to the wrong place, and gives the small block back', () => {
    const { snd, push, payloads } = makeBuffer()
    for (let index = 0; index < 20; index += 1) push(700)
    expect(payloads()).toEqual(
      Array.from({ length: 20 }, (_, index) => `${String.fromCharCode(97 + index)}700`),
    )
    snd.shrink(snd.nxt)
    snd.giveBack()
    expect(snd.block).toBeUndefined()
  })
})
