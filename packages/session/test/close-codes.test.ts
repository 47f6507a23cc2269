import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  CLOSE,
  closeKind,
  closeName,
  linkCloseKind,
  shortenReason,
  type CloseKind,
} from '../src/close-codes.ts'

test('the hundreds of a code tell its kind, also for codes not yet invented', () => {
  const expected: [number, number, CloseKind][] = [
    [4000, 4099, 'resume'],
    [4100, 4199, 'fresh'],
    [4200, 4299, 'stop'],
    [4300, 4399, 'resume'],
    [4400, 4499, 'fresh'],
    [4500, 4999, 'stop'],
    [1000, 1015, 'resume'],
  ]
  for (const [first, last, kind] of expected) {
    expect([closeKind(first), closeKind(last)]).toEqual([kind, kind])
  }
})

test('codes of a transport never end a session', () => {
  expect([1000, 1006, 1008, 4413, 4429, 4504].map(linkCloseKind)).toEqual(Array(6).fill('resume'))
  expect([4004, 4103, 4202].map(linkCloseKind)).toEqual(['resume', 'fresh', 'stop'])
})

test('every code has one name', () => {
  const codes = Object.values(CLOSE)
  expect(new Set(codes).size).toBe(codes.length)
  for (const [name, code] of Object.entries(CLOSE)) expect(closeName(code)).toBe(name)
  expect([1006, 4400, 4999].map(closeName)).toEqual(['transport', 'app', 'app'])
})

test('a reason is cut between characters to what a close may carry', () => {
  expect(shortenReason('short')).toBe('short')
  expect(shortenReason('x'.repeat(200))).toBe('x'.repeat(123))
  expect(shortenReason('é'.repeat(100))).toBe('é'.repeat(61))
  expect(shortenReason('🚀'.repeat(100))).toBe('🚀'.repeat(30))
  expect(new TextEncoder().encode(shortenReason('\ud800'.repeat(100))).length).toBeLessThanOrEqual(
    123,
  )
})

test('the README lists exactly these codes, with their kinds', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const rows = [...readme.matchAll(/^\| (4\d{3}) +\| `(\w+)` +\| (\w+) +\|/gm)]
  const listed = rows.map(([, code, name, kind]) => ({ code: Number(code), name, kind }))
  const expected = Object.entries(CLOSE).map(([name, code]) => ({
    code,
    name,
    kind: closeKind(code),
  }))
  expect(listed).toEqual(expected)
})
