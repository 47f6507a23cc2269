import type { Condition } from './candidates.ts'
import type { Trace } from './explain.ts'
import { hashText, mix } from './hash.ts'
import { maglevSlot, maglevTable } from './maglev.ts'
import type { Member } from './member.ts'
import type { KeyPolicy } from './pick.ts'
import { highestBidder } from './rendezvous.ts'

/** How many nodes a key tries before it looks at all of them. */
const KEY_TRIES = 32
const KEY_STEP = 0x9e3779b9

/** Knows which node a key belongs to. */
export class KeyOwners {
  readonly #defer: (fn: () => void) => void
  readonly #usable: () => readonly Member[]
  #table: Uint32Array | undefined
  #tableOf: readonly Member[] = []
  #isTableOld = true
  #isTablePlanned = false
  #healthy: readonly Member[] = []

  /**
   * @param defer - After this turn: making the table takes milliseconds, and nobody waits for it.
   * @param usable - The nodes there are.
   */
  constructor(defer: (fn: () => void) => void, usable: () => readonly Member[]) {
    this.#defer = defer
    this.#usable = usable
  }

  /** There are other nodes. */
  changed(): void {
    this.#isTableOld = true
  }

  /** The nodes that keys may go to now. */
  setHealthy(members: readonly Member[]): void {
    this.#healthy = members
    for (const member of members) member.takesKeys = true
  }

  /** Zones and subsets do not matter here: everybody has to find the same node. @param inFlight - Calls to all of them. */
  find(
    { name, key, bound }: KeyPolicy,
    condition: Condition | undefined,
    inFlight: number,
    trace: Trace | undefined,
  ): Member | undefined {
    const most =
      bound === undefined
        ? Infinity
        : Math.ceil((bound * (inFlight + 1)) / Math.max(1, this.#healthy.length))
    let hash = hashText(key)
    if (trace) trace.reason = 'the node of this key'
    if (name === 'consistent') {
      const table = this.#tableNow()
      for (let tries = 0; tries < KEY_TRIES && this.#tableOf.length > 0; tries += 1) {
        const member = this.#tableOf[table[maglevSlot(hash)]!]!
        if (member.takesKeys && member.inFlight < most && meets(member, condition)) return member
        if (trace) {
          trace.drawn.push(member)
          trace.reason = 'the node of this key after those that are out or have too much to do'
        }
        hash = mix(hash + KEY_STEP)
      }
    }
    const may =
      condition?.version === undefined && condition?.where === undefined
        ? undefined
        : (member: Member): boolean => meets(member, condition)
    if (most === Infinity) return highestBidder(hash, this.#healthy, may)
    const hasRoom = (member: Member): boolean => member.inFlight < most && meets(member, condition)
    return highestBidder(hash, this.#healthy, hasRoom) ?? highestBidder(hash, this.#healthy, may)
  }

  #tableNow(): Uint32Array {
    if (this.#table === undefined) this.#buildTable()
    else if (this.#isTableOld && !this.#isTablePlanned) {
      // The old one leads past nodes that are gone; new ones can wait for the end of this turn.
      this.#isTablePlanned = true
      this.#defer(() => {
        this.#isTablePlanned = false
        if (this.#isTableOld) this.#buildTable()
      })
    }
    return this.#table!
  }

  #buildTable(): void {
    this.#tableOf = this.#usable()
    this.#table = maglevTable(
      this.#tableOf.map(({ record, share }) => ({ id: record.id, weight: share })),
    )
    this.#isTableOld = false
  }
}

const meets = ({ record }: Member, condition: Condition | undefined): boolean =>
  condition === undefined ||
  ((condition.version === undefined || record.version === condition.version) &&
    (condition.where === undefined || condition.where(record)))
