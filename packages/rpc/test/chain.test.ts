import { expect, test } from 'vitest'
import { extend, FrameIds, type Chain } from '../src/chain.ts'

test('a chain remembers its last 64 handlers', () => {
  let chain: Chain = []
  for (let id = 1; id <= 100; id++) chain = extend(chain, id)
  expect(chain).toHaveLength(64)
  expect([chain[0], chain.at(-1)]).toEqual([37, 100])
})

test('two nodes, and two starts of one, number their handlers apart', () => {
  const [a, b] = [new FrameIds('a\n1'), new FrameIds('a\n2')]
  const ids = new Set([a.next(), a.next(), b.next(), b.next()])
  expect(ids.size).toBe(4)
  for (const id of ids) expect(Number.isSafeInteger(id)).toBe(true)
})
