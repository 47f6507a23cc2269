import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SaveResult } from './entity-store.ts'
import { checkLoad, decideSave, type Ownership } from './ownership.ts'
import type { EncodedSave } from './save-batch.ts'
import { inTransaction } from './sqlite-file.ts'

export interface EntityRow extends Ownership {
  readonly id: string
  readonly data: string
}

/** The table of entities in an open file. Each method is one transaction. */
export class EntityTable {
  readonly #database: DatabaseSync
  readonly #select: StatementSync
  readonly #upsert: StatementSync
  readonly #raise: StatementSync
  readonly #page: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#select = database.prepare(
      'SELECT id, version, fence, data FROM entity WHERE type = ? AND id = ?',
    )
    this.#upsert = database.prepare(
      `INSERT INTO entity (type, id, version, fence, data) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (type, id) DO UPDATE
       SET version = excluded.version, fence = excluded.fence, data = excluded.data`,
    )
    this.#raise = database.prepare(
      `INSERT INTO entity (type, id, version, fence, data) VALUES (?, ?, 0, ?, '')
       ON CONFLICT (type, id) DO UPDATE SET fence = excluded.fence`,
    )
    this.#page = database.prepare(
      `SELECT id, version, fence, data FROM entity
       WHERE type = ? AND id > ? AND id >= ? AND version > 0 ORDER BY id`,
    )
  }

  load(type: string, id: string, fence: number | undefined): EntityRow | undefined {
    const row = this.#read(type, id)
    if (fence === undefined || fence === (row?.fence ?? 0)) return row
    checkLoad(type, id, fence, row)
    return inTransaction(this.#database, () => {
      const current = this.#read(type, id)
      checkLoad(type, id, fence, current)
      this.#raise.run(type, id, fence)
      return current === undefined ? undefined : { ...current, fence }
    })
  }

  save(batch: readonly EncodedSave[]): readonly SaveResult[] {
    return inTransaction(this.#database, () => batch.map((encoded) => this.#save(encoded)))
  }

  list(type: string, limit: number, prefix: string, after: string): readonly EntityRow[] {
    const found: EntityRow[] = []
    for (const any of this.#page.iterate(type, after, prefix)) {
      const row = any as unknown as EntityRow
      // Ids with one prefix stand together in this order, so the first other one ends them.
      if (!row.id.startsWith(prefix)) break
      found.push(row)
      if (found.length === limit) break
    }
    return found
  }

  close(): void {
    this.#database.close()
  }

  #save(encoded: EncodedSave): SaveResult {
    if ('error' in encoded) return { saved: false, reason: 'refused', error: encoded.error }
    const { request, text } = encoded
    const { type, id } = request
    const stored = this.#read(type, id)
    const { result, fence } = decideSave(stored, request)
    if (result.saved) this.#upsert.run(type, id, result.version, fence, text)
    else if (fence !== stored?.fence) this.#raise.run(type, id, fence)
    return result
  }

  #read(type: string, id: string): EntityRow | undefined {
    return this.#select.get(type, id) as unknown as EntityRow | undefined
  }
}
