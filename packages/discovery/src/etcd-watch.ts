import type { Etcd3, IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3'
import type { KeyRange, WatchEnd, WatchHandle, WatchHandlers } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import { fromEvent, toRange } from './etcd-codec.ts'
import type { EtcdEndpoints } from './etcd-endpoints.ts'

export interface EtcdWatchOptions {
  readonly endpoints: EtcdEndpoints
  readonly clock: Clock
  readonly range: KeyRange
  readonly fromRevision: number
  readonly handlers: WatchHandlers
  /** Milliseconds until etcd must have accepted the watch, and answered when asked for a sign of life. */
  readonly answerMs: number
  readonly idleMs: number
  readonly onOver: (watch: EtcdWatch) => void
  /** Its link broke: others to the same member may be broken too. */
  readonly onBroken: () => void
}

/** One watch on a stream and a connection of its own. It never resumes: whoever uses it starts another. */
export class EtcdWatch implements WatchHandle {
  readonly #options: EtcdWatchOptions
  #client: Etcd3 | undefined
  #stream: IDuplexStream<IWatchRequest, IWatchResponse> | undefined
  #isOver = false
  #cancelTimer: () => void = () => {}

  constructor(options: EtcdWatchOptions) {
    this.#options = options
    this.#within(options.answerMs, 'the watch was not accepted in time')
    this.#open().catch((cause: unknown) => this.#end({ kind: 'disconnected', cause }))
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer()
    this.#stream?.cancel()
    this.#client?.close()
    this.#options.onOver(this)
  }

  /** The link is to be taken for broken, whatever it looks like. */
  disconnect(cause: unknown): void {
    this.#end({ kind: 'disconnected', cause })
  }

  async #open(): Promise<void> {
    const { endpoints, range, fromRevision } = this.#options
    const client = await endpoints.connect()
    if (this.#isOver) return client.close()
    this.#client = client
    const stream = await client.watchClient.watch()
    stream.on('error', (cause) => this.#end({ kind: 'disconnected', cause }))
    stream.on('end', () => this.#end({ kind: 'disconnected', cause: 'the stream ended' }))
    stream.on('data', (response) => this.#onResponse(response))
    if (this.#isOver) return stream.cancel()
    this.#stream = stream
    stream.write({ create_request: { ...toRange(range), start_revision: fromRevision } })
  }

  #onResponse(response: IWatchResponse): void {
    if (this.#isOver) return
    const { handlers, fromRevision } = this.#options
    if (response.canceled) {
      // Compacted, or refused: either way what we know must be read again, and that tells why.
      this.#end({ kind: 'compacted', cause: response.cancel_reason })
      return
    }
    this.#expectLife()
    if (response.created) {
      // A store that is behind what we have seen is another store: etcd came back without its data.
      if (Number(response.header.revision) + 1 < fromRevision) {
        this.#end({ kind: 'compacted', cause: 'the store is older than what was seen of it' })
        return
      }
      handlers.onStart()
    }
    if (response.events.length > 0) handlers.onEvents(response.events.map(fromEvent))
  }

  #end(end: WatchEnd): void {
    if (this.#isOver) return
    this.close()
    if (end.kind === 'disconnected') this.#options.onBroken()
    this.#options.endpoints.rotate()
    this.#options.handlers.onEnd(end)
  }

  /** After a while of silence asks for a sign of life, and gives up on a stream that gives none. */
  #expectLife(): void {
    const { clock, idleMs, answerMs } = this.#options
    this.#cancelTimer()
    this.#cancelTimer = inBackground(clock).setTimer(idleMs, () => {
      this.#within(answerMs, 'the watch gives no sign of life')
      this.#stream?.write({ progress_request: {} })
    })
  }

  #within(timeoutMs: number, cause: string): void {
    const clock = inBackground(this.#options.clock)
    this.#cancelTimer = clock.setTimer(timeoutMs, () => this.disconnect(cause))
  }
}
