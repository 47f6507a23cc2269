import type { EntityCore } from './entity-core.ts'

/** A handle is generation * 2^24 + index. */
const INDEXES = 2 ** 24
const MAX_GENERATION = 2 ** 29 - 1

/** How many entities a world can hold at once. */
export const MAX_ENTITIES: number = INDEXES

/** Gives living entities numbers that no later entity of the world gets again. */
export class Handles {
  readonly #cores: (EntityCore | undefined)[] = []
  readonly #generations: number[] = []
  readonly #free: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  take(core: EntityCore): number {
    const index = this.#free.pop() ?? this.#cores.push(undefined) - 1
    const generation = (this.#generations[index] ?? 0) + 1
    this.#generations[index] = generation
    this.#cores[index] = core
    this.#size += 1
    return generation * INDEXES + index
  }

  free(handle: number): void {
    const index = handle % INDEXES
    this.#cores[index] = undefined
    this.#size -= 1
    // A place that has had every generation is never used again: 16 bytes against a wrong answer.
    if (this.#generations[index]! < MAX_GENERATION) this.#free.push(index)
  }

  find(handle: number): EntityCore | undefined {
    const core = this.#cores[handle % INDEXES]
    return core?.handle === handle ? core : undefined
  }

  /** The living entities. */
  all(): EntityCore[] {
    return this.#cores.filter((core) => core !== undefined)
  }
}
