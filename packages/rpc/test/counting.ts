import { currentCall } from '../src/index.ts'

/** Serves numbers, and knows how many it has made and whether it was let go. */
export class Counting {
  made = 0
  ended = 0
  signal: AbortSignal | undefined

  async *count(to: number): AsyncGenerator<number> {
    this.signal = currentCall().signal
    try {
      for (let i = 1; i <= to; i++) {
        this.made += 1
        yield i
      }
    } finally {
      this.ended += 1
    }
  }
}
