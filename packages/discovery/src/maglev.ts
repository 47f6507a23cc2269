import { hashText } from './hash.ts'

/** Slots of a table: a prime, so that every stride visits all of them, and 65 for each of a thousand nodes. */
export const MAGLEV_SLOTS = 65_537
const OFFSET_SEED = 1
const STRIDE_SEED = 2

/** The slot of a hash; by a product, which is cheaper than a remainder. */
export const maglevSlot = (hash: number): number =>
  Math.floor(hash * (MAGLEV_SLOTS / 0x1_0000_0000))

export interface MaglevEntry {
  readonly id: string
  /** Above 0. */
  readonly weight: number
}

/**
 * Which entry has which slot: they take turns, each the next free slot of its own permutation, and heavier ones have
 * more turns. The same set gives the same table in every process, whatever the order.
 *
 * @returns For each slot the index into `entries`; all 0 when there are none.
 * @see Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4.
 */
export function maglevTable(entries: readonly MaglevEntry[]): Uint32Array {
  const table = new Uint32Array(MAGLEV_SLOTS)
  const order = entries
    .map((_, index) => index)
    .sort((a, b) => (entries[a]!.id < entries[b]!.id ? -1 : 1))
  const count = order.length
  if (count < 2) return table
  const slots = Uint32Array.from(order, (i) => hashText(entries[i]!.id, OFFSET_SEED) % MAGLEV_SLOTS)
  const strides = Uint32Array.from(
    order,
    (i) => (hashText(entries[i]!.id, STRIDE_SEED) % (MAGLEV_SLOTS - 1)) + 1,
  )
  const heaviest = Math.max(...order.map((i) => entries[i]!.weight))
  const shares = Float64Array.from(order, (i) => entries[i]!.weight / heaviest)
  const credit = new Float64Array(count)
  const isTaken = new Uint8Array(MAGLEV_SLOTS)
  let filled = 0
  for (;;) {
    for (let turn = 0; turn < count; turn += 1) {
      credit[turn]! += shares[turn]!
      if (credit[turn]! < 1) continue
      credit[turn]! -= 1
      let slot = slots[turn]!
      const stride = strides[turn]!
      while (isTaken[slot] === 1) {
        slot += stride
        if (slot >= MAGLEV_SLOTS) slot -= MAGLEV_SLOTS
      }
      isTaken[slot] = 1
      table[slot] = order[turn]!
      slots[turn] = slot
      filled += 1
      if (filled === MAGLEV_SLOTS) return table
    }
  }
}
