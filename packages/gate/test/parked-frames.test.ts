import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ParkedFrames } from '../src/parked-frames.ts'

describe('ParkedFrames', () => {
  it('gives frames back in order, as they were when they were parked', () => {
    const parked = new ParkedFrames(100)
    const bytes = Uint8Array.of(1, 2, 3)
    expect(parked.push(bytes, 5)).toBe(true)
    bytes[0] = 9
    expect(parked.push(Uint8Array.of(4), 6)).toBe(true)
    expect(parked.oldestMs).toBe(5)
    expect(parked.shift()).toEqual(Uint8Array.of(1, 2, 3))
    expect(parked.oldestMs).toBe(6)
    expect(parked.shift()).toEqual(Uint8Array.of(4))
    expect(parked.shift()).toBeUndefined()
  })

  it('refuses the frame that does not fit and keeps the others', () => {
    const parked = new ParkedFrames(4)
    expect(parked.push(new Uint8Array(3), 0)).toBe(true)
    expect(parked.push(new Uint8Array(2), 0)).toBe(false)
    expect(parked.push(new Uint8Array(1), 0)).toBe(true)
    expect([parked.length, parked.bytes]).toEqual([2, 4])
    expect(parked.clear()).toBe(2)
    expect([parked.length, parked.bytes]).toEqual([0, 0])
  })

  it('behaves like a list of frames under any sequence of pushes and shifts', () => {
    const step = fc.oneof(fc.nat(40), fc.constant('shift' as const))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const parked = new ParkedFrames(100)
        const model: number[] = []
        for (const [index, size] of steps.entries()) {
          if (size === 'shift') {
            expect(parked.shift()?.length).toBe(model.shift())
            continue
          }
          const fits = model.reduce((sum, each) => sum + each, 0) + size <= 100
          expect(parked.push(new Uint8Array(size), index)).toBe(fits)
          if (fits) model.push(size)
        }
        expect(parked.length).toBe(model.length)
        expect(parked.bytes).toBe(model.reduce((sum, each) => sum + each, 0))
      }),
      { seed: 3 },
    )
  })
})
