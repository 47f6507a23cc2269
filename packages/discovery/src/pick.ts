import type { NodeRecord } from './node-record.ts'
import { unitFrom, type Random } from './random.ts'

/**
 * How one of several nodes is chosen.
 * - `p2c`: two at random by weight, then the one with less load per weight (the default)
 * - `roundRobin`: one after the other, heavier ones more often
 * - `random`: by weight
 * - `leastLoaded`: the least load per weight of all
 */
export type PickPolicy = 'p2c' | 'roundRobin' | 'random' | 'leastLoaded'

/** A node's load as this process knows it, from 0; `undefined` where it knows none. */
export type LoadOf = (node: NodeRecord) => number | undefined

export interface PickOptions {
  /** @defaultValue 'p2c' */
  readonly policy?: PickPolicy
  /** What counts as load, for instance calls in flight. @defaultValue the registry's `loadOf`, else `meta.load` */
  readonly loadOf?: LoadOf
  /** Which nodes may be picked; `starting`, `draining` and weight 0 are out before it is asked. */
  readonly where?: (node: NodeRecord) => boolean
}

const isPickable = (node: NodeRecord): boolean => node.state === 'ready' && (node.weight ?? 1) > 0

const weightOf = (node: NodeRecord): number => node.weight ?? 1

/** Unknown load counts as none: a node nobody has measured yet gets its chance. */
function loadPerWeight(node: NodeRecord, loadOf: LoadOf | undefined): number {
  const known = loadOf ? loadOf(node) : node.meta?.['load']
  return typeof known === 'number' && known > 0 ? known / weightOf(node) : 0
}

/** How far the turn-taking policies are; it outlives the sets they choose from. */
export interface Turn {
  next: number
}

const GOLDEN_RATIO = 0.618033988749895

/** Chooses among a fixed set of nodes; made anew whenever the set changes. */
export class Picker {
  readonly #nodes: readonly NodeRecord[]
  readonly #random: Random
  /** Running sums of the weights; `undefined` when all are equal. */
  readonly #sums: readonly number[] | undefined
  readonly #turn: Turn

  constructor(nodes: readonly NodeRecord[], random: Random, turn: Turn) {
    this.#nodes = nodes.filter(isPickable)
    this.#random = random
    this.#turn = turn
    const weights = this.#nodes.map(weightOf)
    const isEven = weights.every((weight) => weight === weights[0])
    let sum = 0
    this.#sums = isEven ? undefined : weights.map((weight) => (sum += weight))
  }

  get size(): number {
    return this.#nodes.length
  }

  pick(policy: PickPolicy, loadOf?: LoadOf): NodeRecord | undefined {
    const nodes = this.#nodes
    if (nodes.length < 2) return nodes[0]
    switch (policy) {
      case 'p2c':
        return this.#p2c(loadOf)
      case 'random':
        return nodes[this.#draw()]
      case 'roundRobin':
        return this.#roundRobin()
      case 'leastLoaded':
        return this.#leastLoaded(loadOf)
    }
  }

  #p2c(loadOf: LoadOf | undefined): NodeRecord | undefined {
    const i = this.#draw()
    let j = this.#draw()
    // A heavy node may be drawn over and over; its neighbour is as good a second choice as any.
    for (let tries = 0; j === i && tries < 3; tries++) j = this.#draw()
    if (j === i) j = (i + 1) % this.#nodes.length
    const a = this.#nodes[i]!
    const b = this.#nodes[j]!
    return loadPerWeight(b, loadOf) < loadPerWeight(a, loadOf) ? b : a
  }

  #roundRobin(): NodeRecord | undefined {
    const turn = this.#turn.next++
    // Multiples of the golden ratio fall evenly over the weights however long the sequence runs.
    return this.#nodes[this.#sums ? this.#at((turn * GOLDEN_RATIO) % 1) : turn % this.#nodes.length]
  }

  /** Ties go to the next in turn, so that equal nodes share. */
  #leastLoaded(loadOf: LoadOf | undefined): NodeRecord | undefined {
    const nodes = this.#nodes
    const start = this.#turn.next++ % nodes.length
    let best = nodes[start]!
    let bestLoad = loadPerWeight(best, loadOf)
    for (let step = 1; step < nodes.length; step++) {
      const node = nodes[(start + step) % nodes.length]!
      const load = loadPerWeight(node, loadOf)
      if (load < bestLoad) {
        best = node
        bestLoad = load
      }
    }
    return best
  }

  #draw(): number {
    return this.#at(unitFrom(this.#random))
  }

  /** The node on whose share of the total weight the point `unit` falls. */
  #at(unit: number): number {
    const sums = this.#sums
    if (!sums) return Math.floor(unit * this.#nodes.length)
    const target = unit * sums.at(-1)!
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
