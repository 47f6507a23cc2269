import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideFate, noUdpCounters, noUdpFaults, type UdpFaults } from '../src/datagram-faults.ts'
import { seededRandom } from '../src/index.ts'

function fates(seed: number, faults: Partial<UdpFaults>, count = 200): string[] {
  const random = seededRandom(seed)
  const counters = noUdpCounters()
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify(
      decideFate(Uint8Array.of(index), { ...noUdpFaults(), ...faults }, random, counters),
    ),
  )
}

const anyFaults = fc.record({
  lossProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  duplicateProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  reorderProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  corruptProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  jitterMs: fc.nat(100),
})

test('decides the same for the same seed and faults', () => {
  fc.assert(
    fc.property(fc.nat(), anyFaults, (seed, faults) => {
      expect(fates(seed, faults, 30)).toEqual(fates(seed, faults, 30))
    }),
    { seed: 1 },
  )
})

test('what is lost depends on the loss alone, not on what else is done to the datagrams', () => {
  const lost = (faults: Partial<UdpFaults>): boolean[] =>
    fates(3, { lossProbability: 0.3, ...faults }).map((fate) => fate === '[]')
  expect(lost({ duplicateProbability: 0.5, corruptProbability: 0.5, jitterMs: 5 })).toEqual(
    lost({}),
  )
})

test('without faults every datagram arrives once, whole and at once', () => {
  const counters = noUdpCounters()
  const datagram = Uint8Array.of(1, 2, 3)
  expect(decideFate(datagram, noUdpFaults(), seededRandom(1), counters)).toEqual([
    { bytes: datagram, delayMs: 0, overtakenBy: 0 },
  ])
})

test('corrupts by one bit, in a copy', () => {
  const faults = { ...noUdpFaults(), corruptProbability: 1 }
  const datagram = new Uint8Array(20)
  const [fate] = decideFate(datagram, faults, seededRandom(1), noUdpCounters())
  expect(fate?.bytes.filter((byte) => byte !== 0)).toHaveLength(1)
  expect(Math.log2(fate!.bytes.find((byte) => byte !== 0)!) % 1).toBe(0)
  expect(datagram).toEqual(new Uint8Array(20))
})
