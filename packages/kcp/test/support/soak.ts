import type { KcpSession } from '../../src/index.ts'
import { Dice } from '../../src/simulator/dice.ts'
import type { Pair } from './virtual-network.ts'

/** How long the line runs on after the last message: what was doubled or sent again is there by then. */
const AFTERWARDS_MS = 30_000
const LARGE_BYTES = 3000
const NUMBER_BYTES = 3

/** What one end sends: sizes and bytes are a function of the seed, the end and the number. */
class Script {
  readonly #sizes: Dice

  constructor(seed: number, end: number) {
    this.#sizes = new Dice(seed, end)
  }

  message(number: number): Uint8Array {
    this.#sizes.at(number, 0)
    const isLarge = this.#sizes.throw(0) < 0.01
    return this.#bytes(
      number,
      isLarge ? LARGE_BYTES : NUMBER_BYTES + Math.floor(this.#sizes.throw(1) * 60),
    )
  }

  unreliable(number: number): Uint8Array {
    this.#sizes.at(number, 1)
    return this.#bytes(number, NUMBER_BYTES + Math.floor(this.#sizes.throw(1) * 200))
  }

  #bytes(number: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size)
    let state = Math.floor(this.#sizes.throw(2) * 2 ** 32)
    for (let at = 0; at < size; at += 1) {
      bytes[at] = state >>> 24
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    }
    bytes.set([number, number >> 8, number >> 16])
    return bytes
  }
}

const numberOf = (bytes: Uint8Array): number => bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16)

/** One end: what it has sent, and whether what it hears is what the other end sent. */
class End {
  readonly session: KcpSession
  at = 0
  heard = 0
  wrong = 0
  unreliableAt = 0
  readonly unreliableHeard = new Set<number>()
  isBlocked = false
  readonly #mine: Script
  readonly #theirs: Script

  constructor(session: KcpSession, mine: Script, theirs: Script) {
    this.session = session
    this.#mine = mine
    this.#theirs = theirs
    session.onMessage = (bytes, unreliable) => {
      if (unreliable) this.#takeUnreliable(bytes)
      else this.#take(bytes)
    }
    session.on('drain', () => (this.isBlocked = false))
  }

  send(count: number): void {
    for (let i = 0; i < 40 && this.at < count && !this.isBlocked; i += 1) {
      this.isBlocked = !this.session.send(this.#mine.message(this.at))
      this.at += 1
      if (i % 8 !== 0) continue
      if (this.session.sendUnreliable(this.#mine.unreliable(this.unreliableAt)))
        this.unreliableAt += 1
    }
  }

  #take(bytes: Uint8Array): void {
    if (Buffer.compare(bytes, this.#theirs.message(this.heard)) !== 0) this.wrong += 1
    this.heard += 1
  }

  #takeUnreliable(bytes: Uint8Array): void {
    const number = numberOf(bytes)
    const isNew = !this.unreliableHeard.has(number)
    if (!isNew || Buffer.compare(bytes, this.#theirs.unreliable(number)) !== 0) this.wrong += 1
    this.unreliableHeard.add(number)
  }
}

/**
 * Sends so many messages both ways over a bad line, and unreliable ones between them, until all have come, and
 * listens on for a while.
 *
 * @returns How many were not the next one, byte for byte, or came beyond the last; with unreliable ones that were
 *   spoilt or came twice.
 * @throws Error when a session closes, or hardly an unreliable one comes.
 */
export async function soak(
  { network, near, far }: Pair,
  count: number,
  seed: number,
): Promise<number> {
  const scripts = [new Script(seed, 0), new Script(seed, 1)] as const
  const ends = [new End(near, scripts[0], scripts[1]), new End(far, scripts[1], scripts[0])]
  while (ends.some(({ heard }) => heard < count)) {
    for (const end of ends) {
      end.send(count)
      if (!end.session.isOpen) throw new Error(`closed: ${JSON.stringify(end.session.closeInfo)}`)
    }
    network.run(10)
  }
  network.run(AFTERWARDS_MS)
  for (const [index, { unreliableHeard }] of ends.entries()) {
    const sent = ends[1 - index]!.unreliableAt
    if (unreliableHeard.size < sent / 4)
      throw new Error(`of ${sent} unreliable ones only ${unreliableHeard.size} came`)
  }
  return ends.reduce((sum, { wrong }) => sum + wrong, 0)
}
