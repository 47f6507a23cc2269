import type { NodeRecord } from './node-record.ts'
import type { Member } from './member.ts'
import type { Outcome, Picked } from './pick.ts'

/** Who wants to know how a call went. */
export interface Counter {
  done(member: Member, page: number, pickedAt: number, outcome: Outcome | undefined): void
}

/** Getters and no copy: a pick is made for each call. */
class PickedNode {
  readonly #counter: Counter
  readonly #member: Member
  readonly #page: number
  readonly #at: number
  readonly node: NodeRecord
  #isDone = false

  constructor(counter: Counter, member: Member, page: number, at: number) {
    this.#counter = counter
    this.#member = member
    this.#page = page
    this.#at = at
    this.node = member.record
  }

  get id(): string {
    return this.node.id
  }
  get epoch(): string {
    return this.node.epoch
  }
  get role(): string {
    return this.node.role
  }
  get addresses(): NodeRecord['addresses'] {
    return this.node.addresses
  }
  get zone(): string | undefined {
    return this.node.zone
  }
  get weight(): number | undefined {
    return this.node.weight
  }
  get version(): string | undefined {
    return this.node.version
  }
  get state(): NodeRecord['state'] {
    return this.node.state
  }
  get meta(): NodeRecord['meta'] {
    return this.node.meta
  }
  get load(): NodeRecord['load'] {
    return this.node.load
  }

  done(outcome?: Outcome): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#counter.done(this.#member, this.#page, this.#at, outcome)
  }

  [Symbol.dispose](): void {
    this.done()
  }

  toJSON(): NodeRecord {
    return this.node
  }
}

export function makePicked(counter: Counter, member: Member, page: number, at: number): Picked {
  // A getter that gives `undefined` is what an absent field reads as.
  return new PickedNode(counter, member, page, at) as unknown as Picked
}
