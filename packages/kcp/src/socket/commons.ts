import type { Clock } from '../clock.ts'
import { SegmentPool } from '../segment-pool.ts'
import { Turns } from './turns.ts'

const SCRATCH_BYTES = 64 * 1024
const CONTROL_BYTES = 2048

/**
 * Room for what is handed out, borrowed by one at a time. Who asks meanwhile, from within a callback of the one who has
 * it, gets other room.
 */
export class Scratch {
  readonly #bytes = new Uint8Array(SCRATCH_BYTES)
  #isLent = false

  borrow(): Uint8Array {
    if (this.#isLent) return new Uint8Array(SCRATCH_BYTES)
    this.#isLent = true
    return this.#bytes
  }

  giveBack(bytes: Uint8Array): void {
    if (bytes === this.#bytes) this.#isLent = false
  }
}

/**
 * What conversations that are never at work at the same moment have in common: all those of a listener, and those of
 * all clients of a process. A thousand clients need one timer and one buffer, not a thousand.
 */
export class Commons {
  readonly turns: Turns
  readonly pool: SegmentPool = new SegmentPool()
  /** What `receive` fills. */
  readonly scratch: Scratch = new Scratch()
  /** For one call at a time: a control datagram being made. */
  readonly control: Uint8Array = new Uint8Array(CONTROL_BYTES)

  /** @param isBehind - Whether the socket's queue was not emptied by the last reading. */
  constructor(clock: Clock, isBehind?: () => boolean) {
    this.turns = new Turns(clock, isBehind)
  }
}

const ofClients = new WeakMap<Clock, Commons>()

/** Those of the clients that go by this clock. */
export function commonsOfClients(clock: Clock): Commons {
  const known = ofClients.get(clock)
  if (known !== undefined) return known
  const commons = new Commons(clock)
  ofClients.set(clock, commons)
  return commons
}
