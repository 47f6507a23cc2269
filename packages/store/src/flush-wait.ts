import { StoreError } from './errors.ts'
import type { TrackedEntity } from './tracked-entity.ts'

/** One call of `flush`: done when each of its entities is saved up to where it was at the call. */
export class FlushWait {
  readonly done: Promise<void>
  readonly size: number
  readonly #entities: readonly TrackedEntity[]
  readonly #errors: Error[] = []
  readonly #resolve: () => void
  readonly #reject: (reason: unknown) => void
  #left: number

  constructor(entities: readonly TrackedEntity[]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.done = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#entities = entities
    this.size = this.#left = entities.length
    for (const entity of entities) entity.waits.set(this, entity.generation)
  }

  get left(): number {
    return this.#left
  }

  /** One of its entities is saved, or never will be. */
  settle(error: Error | undefined): void {
    if (error !== undefined) this.#errors.push(error)
    this.#left -= 1
    if (this.#left > 0) return
    const [first] = this.#errors
    if (first === undefined) this.#resolve()
    else this.#reject(this.#errors.length === 1 ? first : summary(first, this.#errors))
  }

  /** Ends the wait with what has come so far. */
  abandon(reason: unknown): void {
    for (const entity of this.#entities) entity.waits.delete(this)
    this.#reject(reason)
  }
}

/** Many errors as one, under the code of the first. */
function summary(first: Error, errors: readonly Error[]): Error {
  const cause = new AggregateError(errors)
  const message = `${errors.length} entities were not saved; the first: ${first.message}`
  return first instanceof StoreError ? new StoreError(first.code, message, { cause }) : first
}
