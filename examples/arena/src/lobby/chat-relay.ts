import type { Clock } from '@rts/rpc'
import type { ChatLine } from '../shared/player-api.ts'

const RETRY_MS = 200
/** More lines than this wait for a lobby that cannot be reached only until newer ones come. */
const MAX_WAITING = 1000

export interface ChatRelayOptions {
  readonly clock: Clock
  /** Resolves when the other lobby has them. */
  readonly send: (firstNumber: number, lines: readonly ChatLine[]) => Promise<void>
  /** False once the other lobby is gone for good. */
  readonly isWanted: () => boolean
}

/** Carries lines to one other lobby in order. A batch whose fate is unknown is sent again: the lines are numbered. */
export class ChatRelay {
  readonly #options: ChatRelayOptions
  #lines: ChatLine[] = []
  #firstNumber = 1
  #isSending = false

  constructor(options: ChatRelayOptions) {
    this.#options = options
  }

  add(line: ChatLine): void {
    this.#lines.push(line)
    if (this.#lines.length > MAX_WAITING) this.#forget(1)
    if (!this.#isSending) void this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    const { clock, send, isWanted } = this.#options
    this.#isSending = true
    while (this.#lines.length > 0 && isWanted()) {
      const first = this.#firstNumber
      const lines = [...this.#lines]
      try {
        await send(first, lines)
        // Lines that did not fit any more may have gone meanwhile.
        this.#forget(first + lines.length - this.#firstNumber)
      } catch {
        await new Promise<void>((resolve) => void clock.setTimer(RETRY_MS, resolve))
      }
    }
    this.#isSending = false
  }

  #forget(count: number): void {
    if (count <= 0) return
    this.#lines.splice(0, count)
    this.#firstNumber += count
  }
}

/** What one lobby has heard of another: each line once. */
export class HeardLines {
  readonly #last = new Map<string, number>()

  /** The lines of a batch that are new. */
  newOf(origin: string, firstNumber: number, lines: readonly ChatLine[]): readonly ChatLine[] {
    const last = this.#last.get(origin) ?? 0
    this.#last.set(origin, Math.max(last, firstNumber + lines.length - 1))
    return lines.slice(Math.max(0, last + 1 - firstNumber))
  }
}
