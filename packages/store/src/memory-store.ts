import { checkList, checkName, checkRequest, checkWhole } from './arguments.ts'
import { decodeDocument } from './document.ts'
import type {
  EntityStore,
  ListOptions,
  LoadOptions,
  SaveRequest,
  SaveResult,
  StoredEntity,
} from './entity-store.ts'
import { StoreError } from './errors.ts'
import { checkLoad, decideSave } from './ownership.ts'
import { DEFAULT_MAX_ENTITY_BYTES, encodeBatch } from './save-batch.ts'

export interface MemoryStoreOptions {
  /** How large the data of one entity may be, in bytes of text. @defaultValue 4194304 */
  readonly maxEntityBytes?: number
}

interface Row {
  readonly id: string
  readonly version: number
  readonly fence: number
  /** Empty while only a fence is known. */
  readonly text: string
}

/**
 * A store in this process, for tests and for games that need not outlive it. It keeps text as the
 * others do, so what cannot be saved elsewhere cannot be saved here, and no caller shares an object
 * with another. Several nodes of one process share it by sharing the object.
 */
export class MemoryStore implements EntityStore {
  readonly #maxEntityBytes: number
  readonly #types = new Map<string, Map<string, Row>>()
  #closed = false

  constructor(options: MemoryStoreOptions = {}) {
    const { maxEntityBytes = DEFAULT_MAX_ENTITY_BYTES } = options
    this.#maxEntityBytes = checkWhole('maxEntityBytes', maxEntityBytes, 1)
  }

  async load(
    type: string,
    id: string,
    options: LoadOptions = {},
  ): Promise<StoredEntity | undefined> {
    checkName('type', type)
    checkName('id', id)
    this.#checkOpen()
    let row = this.#rows(type).get(id)
    if (options.fence !== undefined) {
      const fence = checkWhole('fence', options.fence)
      checkLoad(type, id, fence, row)
      row = { id, version: 0, text: '', ...row, fence }
      this.#rows(type).set(id, row)
    }
    return row === undefined || row.version === 0 ? undefined : toEntity(type, row)
  }

  async save(batch: readonly SaveRequest[]): Promise<readonly SaveResult[]> {
    batch.forEach(checkRequest)
    this.#checkOpen()
    return encodeBatch(batch, this.#maxEntityBytes).map((encoded) => {
      if ('error' in encoded) return { saved: false, reason: 'refused', error: encoded.error }
      const { request, text } = encoded
      const { id } = request
      const rows = this.#rows(request.type)
      const row = rows.get(id) ?? { id, version: 0, fence: 0, text: '' }
      const { result, fence } = decideSave(row, request)
      if (result.saved) rows.set(id, { id, version: result.version, fence, text })
      else rows.set(id, { ...row, fence })
      return result
    })
  }

  async list(type: string, options: ListOptions): Promise<readonly StoredEntity[]> {
    checkList(type, options)
    this.#checkOpen()
    const { limit, prefix = '', after = '' } = options
    return [...this.#rows(type).values()]
      .filter(({ version, id }) => version > 0 && id.startsWith(prefix) && byBytes(id, after) > 0)
      .sort((a, b) => byBytes(a.id, b.id))
      .slice(0, limit)
      .map((row) => toEntity(type, row))
  }

  /** Further calls are refused. What was stored goes with the object. */
  async close(): Promise<void> {
    this.#closed = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #rows(type: string): Map<string, Row> {
    let rows = this.#types.get(type)
    if (rows === undefined) this.#types.set(type, (rows = new Map()))
    return rows
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('STORE_CLOSED', 'the store is closed')
  }
}

const toEntity = (type: string, { id, version, fence, text }: Row): StoredEntity => ({
  type,
  id,
  version,
  fence,
  data: decodeDocument(text),
})

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
