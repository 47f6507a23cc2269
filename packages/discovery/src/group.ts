import type { Dice } from './dice.ts'
import type { Member } from './member.ts'

/** Members of whom some are drawn by weight; made anew whenever their set or a weight changes. */
export class Group {
  readonly members: readonly Member[]
  /** Running sums of the weights; `undefined` when all are equal. */
  readonly #sums: Float64Array | undefined

  constructor(members: readonly Member[]) {
    this.members = members
    if (members.some(({ weight }) => weight !== members[0]!.weight)) {
      let sum = 0
      this.#sums = Float64Array.from(members, ({ weight }) => (sum += weight))
    }
  }

  get isEven(): boolean {
    return this.#sums === undefined
  }

  draw(dice: Dice): number {
    return this.#sums === undefined ? dice.below(this.members.length) : this.at(dice.unit())
  }

  /** Another one than `first`; there are at least two. */
  drawOther(dice: Dice, first: number): number {
    const count = this.members.length
    if (this.#sums === undefined) {
      const other = dice.below(count - 1)
      return other < first ? other : other + 1
    }
    // A heavy node may be drawn over and over; its neighbour is as good a second choice as any.
    for (let tries = 0; tries < 4; tries += 1) {
      const other = this.at(dice.unit())
      if (other !== first) return other
    }
    return (first + 1) % count
  }

  /** The member on whose share of the total weight the point `unit` falls. */
  at(unit: number): number {
    const sums = this.#sums
    if (sums === undefined) return Math.floor(unit * this.members.length)
    const target = unit * sums[sums.length - 1]!
    let low = 0
    let high = sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! <= target) low = middle + 1
      else high = middle
    }
    return low
  }
}
