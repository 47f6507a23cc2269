import { decodeLoad, encodeLoad, type Load } from './load.ts'

/** Who says how a node is doing: a {@link LoadMeter}, or anything else that knows. */
export interface LoadSource {
  read(): Load
}

/**
 * What links between nodes carry for this package: a few bytes with each sign of life. The `beat` option of an
 * `RpcNode` of `@rts/rpc` takes it as it is; other links call `write` about once a second and `read` with what came.
 */
export interface LoadBeat {
  write(): Uint8Array | undefined
  /** Bytes that are no load are ignored. */
  read(from: { readonly role: string; readonly nodeId: string }, bytes: Uint8Array): void
}

export interface LoadBeatOptions {
  readonly source: LoadSource | undefined
  /** Each time it was read, for what the store is told. */
  readonly onRead: (load: Load) => void
  readonly onTold: (role: string, id: string, load: Load) => void
}

export function makeLoadBeat({ source, onRead, onTold }: LoadBeatOptions): LoadBeat {
  return {
    write() {
      const load = source?.read()
      if (load === undefined) return undefined
      onRead(load)
      return encodeLoad(load)
    },
    read({ role, nodeId }, bytes) {
      const load = decodeLoad(bytes)
      if (load !== undefined) onTold(role, nodeId, load)
    },
  }
}
