import { encodeDocument } from './document.ts'
import type { SaveRequest } from './entity-store.ts'
import { StoreError } from './errors.ts'

export const DEFAULT_MAX_ENTITY_BYTES: number = 4 * 1024 * 1024

/** A request with its data as text, or why it has none. */
export type EncodedSave =
  | { readonly request: SaveRequest; readonly text: string }
  | { readonly request: SaveRequest; readonly error: StoreError }

/** Turns the data of each request into text; one that cannot be stored does not hinder the others. */
export function encodeBatch(
  batch: readonly SaveRequest[],
  maxEntityBytes: number,
): readonly EncodedSave[] {
  return batch.map((request) => {
    try {
      return { request, text: encodeDocument(request.data, maxEntityBytes) }
    } catch (error) {
      // A getter in the data may throw anything.
      return { request, error: asValueError(request, error) }
    }
  })
}

function asValueError({ type, id }: SaveRequest, cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StoreError('STORE_VALUE', `${type} ${id} cannot be stored: ${why}`, { cause })
}
