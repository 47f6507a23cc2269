import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import { ReceivedStream } from './received-stream.ts'
import { StreamSource } from './stream-source.ts'

/** What a scalar counts for, and what holds others beside those. */
const SCALAR_BYTES = 8
/** Values inside one item that are looked at: the rest counts for nothing. */
const MAX_PARTS = 1024

/** What the two ends of a {@link LocalStream} belong to. */
export interface LocalStreamOwner {
  /** Runs the first step of the iterator, inside which a handler may ask who called. */
  first<T>(step: () => T): T
  /** The iterator did, with an error that has no code of its own. */
  failed?(error: unknown): void
  /** The reader has lost interest. */
  abandoned?(): void
  /** It is over, however it ended. */
  closed(): void
}

/** A stream that stays in this process. */
export interface LocalStream {
  /** For the reader. */
  readonly reader: ReceivedStream
  /** Ends it at both ends; what has been made is read before the error. */
  breakOff(reason: unknown): void
}

/**
 * Joins the two ends that a stream has over a link, with no link between them: the same window, errors and ends, but the
 * items are passed as they are.
 */
export function makeLocalStream(
  iterable: AsyncIterable<unknown>,
  owner: LocalStreamOwner,
): LocalStream {
  const reader = new ReceivedStream({
    grant: (items, bytes) => outside(() => source.grant(items, bytes)),
    cancel: () => {
      source.stop()
      owner.abandoned?.()
    },
    closed: () => owner.closed(),
  })
  const source = new StreamSource(iterable, {
    isReady: () => true,
    item(value) {
      const bytes = bytesOf(value)
      reader.push(value, bytes)
      return bytes
    },
    end(error) {
      const told = error && toldOf(error.reason)
      if (told?.code === 'RPC_INTERNAL') owner.failed?.(error?.reason)
      reader.end(told && { reason: told })
    },
    first: (step) => owner.first(step),
  })
  return {
    reader,
    breakOff(reason) {
      source.stop()
      reader.end({ reason })
    },
  }
}

/** What a reader hears of it. */
export function toldOf(error: unknown): RpcError {
  const { code, message, data } = errorReply(error, 'server')
  return new RpcError(code, message, { executed: 'yes', data, cause: error })
}

/** Who reads is not who calls: what makes the items runs beside all calls, as it would elsewhere. */
function outside(step: () => void): void {
  const before = enterCall(undefined)
  try {
    if (callStorage === undefined) step()
    else callStorage.run(undefined, step)
  } finally {
    enterCall(before)
  }
}

/** About what a value would be on a link; of large structures, what it would be at least. */
function bytesOf(item: unknown): number {
  const parts: unknown[] = [item]
  let bytes = 0
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]
    bytes += SCALAR_BYTES
    if (typeof part === 'string') bytes += part.length
    else if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) bytes += part.byteLength
    else if (typeof part === 'object' && part !== null) {
      const inside = Array.isArray(part) ? (part as unknown[]) : Object.values(part)
      for (let k = 0; k < inside.length && parts.length < MAX_PARTS; k++) parts.push(inside[k])
      // What is not looked at has a byte at least.
      bytes += inside.length
    }
  }
  return bytes
}
