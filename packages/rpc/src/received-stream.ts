import type { ArgumentStream } from './passing.ts'
import { RemoteStream } from './remote-stream.ts'

/** A stream that came as an argument: it ends with its call, unless it is being read. */
export class ReceivedStream extends RemoteStream implements ArgumentStream {
  #isRead = false

  override next(): Promise<IteratorResult<unknown, undefined>> {
    this.#isRead = true
    return super.next()
  }

  drop(): void {
    if (!this.#isRead) void this.return()
  }
}
