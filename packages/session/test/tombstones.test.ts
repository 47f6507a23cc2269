import { expect, test } from 'vitest'
import { Tombstones } from '../src/tombstones.ts'

const grave = (code: number) => ({ code, reason: 'x', confirmedEpoch: 1 })

test('remembers how a session ended until its time is over', () => {
  const tombstones = new Tombstones(10, 1000)
  tombstones.add('a', grave(4202), 0)
  expect(tombstones.get('a', 999)).toEqual(grave(4202))
  expect(tombstones.get('a', 1000)).toBeUndefined()
  expect(tombstones.get('b', 0)).toBeUndefined()
})

test('holds no more than its bound, the oldest go first', () => {
  const tombstones = new Tombstones(3, 1000)
  for (let i = 0; i < 100; i++) tombstones.add(`${i}`, grave(4200), i)
  expect(tombstones.size).toBe(3)
  expect(tombstones.get('97', 99)).toBeDefined()
  expect(tombstones.get('96', 99)).toBeUndefined()
})

test('what has expired goes with the next one that is added', () => {
  const tombstones = new Tombstones(100, 1000)
  for (let i = 0; i < 50; i++) tombstones.add(`${i}`, grave(4200), 0)
  tombstones.add('late', grave(4200), 1000)
  expect(tombstones.size).toBe(1)
})

test('a session that ends twice is remembered by its last end', () => {
  const tombstones = new Tombstones(2, 1000)
  tombstones.add('a', grave(4004), 0)
  tombstones.add('b', grave(4004), 1)
  tombstones.add('a', grave(4202), 2)
  tombstones.add('c', grave(4004), 3)
  expect(tombstones.get('a', 4)).toEqual(grave(4202))
  expect(tombstones.get('b', 4)).toBeUndefined()
})
