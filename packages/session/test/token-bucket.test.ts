import { expect, test } from 'vitest'
import { TokenBucket } from '../src/token-bucket.ts'

test('gives its burst at once and then drips at its rate', () => {
  const bucket = new TokenBucket(10, 3, 0)
  expect([1, 2, 3, 4].map(() => bucket.take(1, 0))).toEqual([true, true, true, false])
  expect(bucket.waitMs(1, 0)).toBe(100)
  expect(bucket.take(1, 99)).toBe(false)
  expect(bucket.take(1, 100)).toBe(true)
  expect(bucket.take(3, 10_000)).toBe(true)
  expect(bucket.take(1, 10_000)).toBe(false)
})

test('what costs more than the burst waits for a full bucket and leaves a debt', () => {
  const bucket = new TokenBucket(10, 3, 0)
  expect(bucket.take(5, 0)).toBe(true)
  expect(bucket.waitMs(1, 0)).toBe(300)
})

test('a charge is taken in any case', () => {
  const bucket = new TokenBucket(10, 1, 0)
  bucket.charge(2, 0)
  expect(bucket.waitMs(1, 0)).toBe(200)
})

test('a rate of 0 never refuses', () => {
  const bucket = new TokenBucket(0, 4, 0)
  for (let i = 0; i < 1000; i++) expect(bucket.take(10_000, 0)).toBe(true)
})
