import type { Clock } from '../clock.ts'
import type { Conversation } from './conversation.ts'
import { Wheel } from './wheel.ts'

/** When conversations get their turn: at their deadlines, and at the end of a turn of the event loop that gave them work. */
export class Turns {
  readonly wheel: Wheel
  readonly #clock: Clock
  #dirty: Conversation[] = []
  #spare: Conversation[] = []
  readonly #flushDirty = (): void => this.#flush()

  /** @param isBehind - Whether the socket's queue was not emptied by the last reading. */
  constructor(clock: Clock, isBehind?: () => boolean) {
    this.#clock = clock
    this.wheel = new Wheel(clock, isBehind)
  }

  /** Has a conversation flushed once, after this turn, however often it asks. */
  flushSoon(conversation: Conversation): void {
    if (conversation.isDirty) return
    conversation.isDirty = true
    if (this.#dirty.push(conversation) === 1) this.#clock.defer(this.#flushDirty)
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = this.#spare
    this.#spare = dirty
    const now = Math.floor(this.#clock.now())
    let done = 0
    try {
      for (; done < dirty.length; done += 1) {
        const conversation = dirty[done]!
        conversation.isDirty = false
        conversation.flush(now)
      }
    } finally {
      // A listener of one that throws keeps none of the others from its flush.
      const rest = dirty.splice(done + 1)
      dirty.length = 0
      for (const conversation of rest) {
        conversation.isDirty = false
        this.flushSoon(conversation)
      }
    }
  }
}
