import type { EntityStore, LoadOptions, SaveRequest, SaveResult } from '../src/index.ts'
import { MemoryStore } from '../src/index.ts'

export type Fault = 'away' | 'does it, but reports a failure'

/** A memory store whose saves a test can hold up, break and look at. */
export class FaultyStore implements EntityStore {
  readonly inner: MemoryStore = new MemoryStore()
  /** The ids of each batch, in order. */
  readonly batches: string[][] = []
  fault: Fault | undefined
  /** Called before each batch; what it waits for holds the save up. */
  before: (batch: readonly SaveRequest[]) => unknown = () => {}
  #sending = new Set<string>()

  load(type: string, id: string, options?: LoadOptions): ReturnType<EntityStore['load']> {
    return this.inner.load(type, id, options)
  }

  async save(batch: readonly SaveRequest[]): Promise<readonly SaveResult[]> {
    const ids = batch.map(({ id }) => id)
    this.batches.push(ids)
    for (const id of ids) {
      if (this.#sending.has(id)) throw new Error(`${id} has two saves under way`)
      this.#sending.add(id)
    }
    const copied = batch.map((request) => ({ ...request, data: copy(request.data) }))
    try {
      await this.before(copied)
      if (this.fault === 'away') throw Object.assign(new Error('away'), { executed: 'no' })
      const results = await this.inner.save(copied)
      if (this.fault !== undefined) throw new Error('timed out')
      return results
    } finally {
      for (const id of ids) this.#sending.delete(id)
    }
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  async dataOf(id: string): Promise<unknown> {
    return (await this.inner.load('avatar', id))?.data
  }
}

/** As a store reads its data at the call; what cannot be copied is for the inner store to refuse. */
function copy(data: unknown): unknown {
  try {
    return structuredClone(data)
  } catch {
    return data
  }
}
