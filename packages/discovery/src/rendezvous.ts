import { mix } from './hash.ts'

export interface RendezvousEntry {
  /** A hash of its id. */
  readonly hash: number
  /** Its weight; above 0. */
  readonly share: number
}

/**
 * What an entry bids for a key; the highest bid wins, in proportion to the weights.
 *
 * @see Thaler and Ravishankar, 1998; the weights after Schindelhauer and Schomaker, 2005.
 */
export function bid(keyHash: number, { hash, share }: RendezvousEntry): number {
  return -share / Math.log((mix(keyHash ^ hash) + 0.5) / 0x1_0000_0000)
}

/** The entry that bids most, of those that may; ties go to the first. */
export function highestBidder<E extends RendezvousEntry>(
  keyHash: number,
  entries: readonly E[],
  may?: (entry: E) => boolean,
): E | undefined {
  let best: E | undefined
  let highest = -Infinity
  const share = entries[0]?.share
  let isEven = true
  for (let index = 1; index < entries.length && isEven; index += 1) {
    isEven = entries[index]!.share === share
  }
  for (let index = 0; index < entries.length; index += 1) {
    const entry = entries[index]!
    // Among equals the order of the bids is the order of the hashes, without a logarithm.
    const offer = isEven ? mix(keyHash ^ entry.hash) : bid(keyHash, entry)
    if (offer > highest && (may === undefined || may(entry))) {
      best = entry
      highest = offer
    }
  }
  return best
}

/**
 * The `size` entries that bid most: what one client among many keeps links to. Of two sets that differ by one entry
 * the subsets differ by at most one.
 */
export function subsetOf<E extends RendezvousEntry>(
  clientHash: number,
  entries: readonly E[],
  size: number,
): readonly E[] {
  if (entries.length <= size) return entries
  return entries
    .map((entry) => ({ entry, offer: bid(clientHash, entry) }))
    .sort((a, b) => b.offer - a.offer)
    .slice(0, size)
    .map(({ entry }) => entry)
}
