import type { SaveRequest, SaveResult } from './entity-store.ts'
import { StoreError } from './errors.ts'

/** What a store keeps beside the data. Version 0: never saved, but a fence has been seen. */
export interface Ownership {
  readonly version: number
  readonly fence: number
}

export interface SaveDecision {
  readonly result: Exclude<SaveResult, { readonly reason: 'refused' }>
  /** The fence to keep from now on. It rises with a refused save too, as long as it is the newest. */
  readonly fence: number
}

const UNKNOWN: Ownership = { version: 0, fence: 0 }

/** What a save may do. Every store asks this, inside the transaction that then does it. */
export function decideSave(stored: Ownership = UNKNOWN, request: SaveRequest): SaveDecision {
  if (request.fence < stored.fence) {
    return { result: { saved: false, reason: 'fenced', ...only(stored) }, fence: stored.fence }
  }
  const { fence } = request
  if (request.version !== stored.version) {
    return { result: { saved: false, reason: 'conflict', version: stored.version, fence }, fence }
  }
  return { result: { saved: true, version: stored.version + 1 }, fence }
}

/** @throws StoreError `STORE_FENCED` when a newer owner is known. */
export function checkLoad(
  type: string,
  id: string,
  fence: number,
  stored: Ownership = UNKNOWN,
): void {
  if (fence >= stored.fence) return
  throw new StoreError(
    'STORE_FENCED',
    `${type} ${id} has an owner with fence ${stored.fence}, newer than ${fence}`,
    { fence: stored.fence },
  )
}

const only = ({ version, fence }: Ownership): Ownership => ({ version, fence })
