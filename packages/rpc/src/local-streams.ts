import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import { RpcError } from './errors.ts'
import type { ExposedMethod } from './exposure.ts'
import type { LocalCall } from './local-call.ts'
import { makeLocalStream, type LocalStream } from './local-stream.ts'
import type { PeerHost } from './peer-host.ts'
import type { RemoteStream } from './remote-stream.ts'

/** The streams that answer calls of a node to itself. */
export class LocalStreams {
  readonly #host: PeerHost
  readonly #open = new Map<LocalStream, LocalCall>()

  constructor(host: PeerHost) {
    this.#host = host
  }

  /** Makes a stream of what a handler gave. @returns What its reader gets. */
  open(call: LocalCall, { name }: ExposedMethod, result: AsyncIterable<unknown>): RemoteStream {
    const { counters, logger } = this.#host
    const { abortSignal } = call
    const letGo = (): void =>
      call.end(new RpcError('RPC_CLOSED', 'nobody reads the stream any more'))
    const abort = (): void => {
      letGo()
      stream.breakOff(abortSignal?.reason)
    }
    const stream = makeLocalStream(result, {
      first(step) {
        const before = enterCall(call)
        try {
          return callStorage === undefined ? step() : callStorage.run(undefined, step)
        } finally {
          enterCall(before)
        }
      },
      failed: (error) => logger.warn('rpc stream failed', { method: name, error }),
      abandoned: letGo,
      closed: () => {
        this.#open.delete(stream)
        counters.openStreams -= 1
        abortSignal?.removeEventListener('abort', abort)
        call.isStreaming = false
        call.dropStreams()
      },
    })
    this.#open.set(stream, call)
    counters.openStreams += 1
    call.isStreaming = true
    abortSignal?.addEventListener('abort', abort)
    return stream.reader
  }

  /** The node stops: all of them end, at both ends. */
  close(reason: Error): void {
    for (const [stream, call] of this.#open) {
      this.#host.counters.lost += 1
      call.end(reason)
      const text = `the stream of ${call.describe()}: ${reason.message}`
      stream.breakOff(new RpcError('RPC_CLOSED', text, { executed: 'maybe' }))
    }
  }
}
