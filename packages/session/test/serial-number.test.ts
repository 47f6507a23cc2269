import { expect, test } from 'vitest'
import { serialAdd, serialAtMost, serialDistance } from '../src/serial-number.ts'

test('counts on across 2^31 and wraps at 2^32', () => {
  expect(serialAdd(0x7fff_ffff, 1)).toBe(0x8000_0000)
  expect(serialAdd(0xffff_ffff, 1)).toBe(0)
  expect(serialAdd(0xffff_fff0, 0x20)).toBe(0x10)
})

test('the distance runs forward across the wrap', () => {
  expect(serialDistance(0xffff_fffe, 3)).toBe(5)
  expect(serialDistance(5, 5)).toBe(0)
  expect(serialDistance(0x7fff_fffe, 0x8000_0002)).toBe(4)
})

test('orders two numbers that are less than 2^31 apart, on both sides of both borders', () => {
  for (const border of [0, 0x8000_0000, 12_345]) {
    const before = serialAdd(border, -3)
    const after = serialAdd(border, 3)
    expect(serialAtMost(before, after)).toBe(true)
    expect(serialAtMost(after, before)).toBe(false)
    expect(serialAtMost(border, border)).toBe(true)
  }
})
