import { atLeastZero, corrupted, probability } from './faults.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What is done to the datagrams of one direction. */
export interface UdpFaults {
  /** The probability that a datagram is lost. */
  lossProbability: number
  /** The probability that it arrives twice. */
  duplicateProbability: number
  /** The probability that it is overtaken by the 1 to `REORDER_SPAN` that come next. */
  reorderProbability: number
  /** The probability that one bit of it is flipped. */
  corruptProbability: number
  /** It arrives this much later, in milliseconds. */
  delayMs: number
  /** And up to this much more, drawn for each; jitter alone reorders too. */
  jitterMs: number
  /** Bigger ones are lost, as behind a route with a small MTU; 0 is no bound. */
  maxBytes: number
  /** All are lost. */
  isCut: boolean
}

/** The most datagrams that overtake a reordered one. */
const REORDER_SPAN = 3

export const noUdpFaults = (): UdpFaults => ({
  lossProbability: 0,
  duplicateProbability: 0,
  reorderProbability: 0,
  corruptProbability: 0,
  delayMs: 0,
  jitterMs: 0,
  maxBytes: 0,
  isCut: false,
})

/** @throws RangeError naming the field that is out of its range. */
export function checkUdpFaults(faults: Partial<UdpFaults>): void {
  probability('lossProbability', faults.lossProbability ?? 0)
  probability('duplicateProbability', faults.duplicateProbability ?? 0)
  probability('reorderProbability', faults.reorderProbability ?? 0)
  probability('corruptProbability', faults.corruptProbability ?? 0)
  atLeastZero('delayMs', faults.delayMs ?? 0)
  atLeastZero('jitterMs', faults.jitterMs ?? 0)
  atLeastZero('maxBytes', faults.maxBytes ?? 0)
}

/** One copy of a datagram on its way. */
export interface DatagramFate {
  readonly bytes: Uint8Array
  readonly delayMs: number
  /** How many later datagrams overtake it; 0 is none. */
  readonly overtakenBy: number
}

/** What happened to the datagrams of one direction so far. */
export interface UdpCounters {
  received: number
  sent: number
  lost: number
  duplicated: number
  reordered: number
  corrupted: number
  /** Lost because more were held back than the bound allows. */
  overflowed: number
}

export const noUdpCounters = (): UdpCounters => ({
  received: 0,
  sent: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  corrupted: 0,
  overflowed: 0,
})

/**
 * Decides what becomes of a datagram: no copy of it, one or two. The same seed, faults and sizes
 * give the same decisions; each draws as often whatever came out before it.
 */
export function decideFate(
  datagram: Uint8Array,
  faults: Readonly<UdpFaults>,
  random: SeededRandom,
  counters: UdpCounters,
): readonly DatagramFate[] {
  counters.received += 1
  const isTooBig = faults.maxBytes > 0 && datagram.length > faults.maxBytes
  const isLost = random.chance(faults.lossProbability)
  const isDuplicated = random.chance(faults.duplicateProbability)
  const first = decideCopy(datagram, faults, random.fork())
  const second = decideCopy(datagram, faults, random.fork())
  if (isLost || isTooBig || faults.isCut) {
    counters.lost += 1
    return []
  }
  const copies = isDuplicated ? [first, second] : [first]
  counters.duplicated += copies.length - 1
  for (const copy of copies) {
    if (copy.overtakenBy > 0) counters.reordered += 1
    if (copy.bytes !== datagram) counters.corrupted += 1
  }
  return copies
}

function decideCopy(
  datagram: Uint8Array,
  faults: Readonly<UdpFaults>,
  random: SeededRandom,
): DatagramFate {
  const delayMs = faults.delayMs + random.next() * faults.jitterMs
  const isReordered = random.chance(faults.reorderProbability)
  const overtakenBy = isReordered ? 1 + random.int(REORDER_SPAN) : 0
  const bytes = corrupted(datagram, faults.corruptProbability, random) ?? datagram
  return { bytes, delayMs, overtakenBy }
}
