import {
  findCandidates,
  findHealthy,
  isUsable,
  type Candidates,
  type Condition,
  type OutReason,
} from './candidates.ts'
import { Dice } from './dice.ts'
import type { Explanation, Trace } from './explain.ts'
import { KeyOwners } from './key-owners.ts'
import type { Load } from './load.ts'
import { Member } from './member.ts'
import { NodeDraw } from './node-draw.ts'
import type { NodeRecord } from './node-record.ts'
import type { LoadOf, Outcome, Picked, PickOptions, PickPolicy } from './pick.ts'
import { makePicked, type Counter } from './picked.ts'
import type { Picking } from './picking.ts'
import type { Random } from './random.ts'

/** So many plain picks by key share one look at the clock, which only turns pages. */
const CLOCK_EVERY = 64

/** A node's standing has changed by what became of calls to it. */
export interface HealthEvent {
  readonly node: NodeRecord
  readonly kind: 'ejected' | 'unreachable' | 'restored'
  /** For how long it is left alone. */
  readonly forMs: number
}

export interface BalancerOptions {
  readonly picking: Picking
  readonly loadOf: LoadOf | undefined
  readonly now: () => number
  /** After this turn: what takes milliseconds and nobody waits for. */
  readonly defer: (fn: () => void) => void
  readonly random: Random
  readonly onHealth?: (event: HealthEvent) => void
}

/** Counters since the directory was made, and what is so now. */
export interface PickStats {
  readonly picks: number
  /** Picks that found no node. */
  readonly empty: number
  /** Calls picked and not yet done or forgotten. */
  readonly inFlight: number
  /** Smoothed over the calls to all nodes; `undefined` before the first was done. */
  readonly latencyMs: number | undefined
  readonly failed: number
  /** How often a node was left alone for failing, and for being out of reach. */
  readonly ejections: number
  readonly outages: number
  /** Nodes that are left alone now. */
  readonly out: number
  readonly isPanicking: boolean
  /** Loads heard over links. */
  readonly loadReports: number
}

/** Chooses among the nodes of a role and keeps count of what became of the choices. */
export class Balancer implements Counter {
  readonly #options: BalancerOptions
  readonly #dice: Dice
  readonly #draw: NodeDraw
  readonly #owners: KeyOwners
  readonly #members = new Map<string, Member>()
  #candidates: Candidates | undefined
  readonly #byVersion = new Map<string, Candidates>()
  /** Calls in flight are counted on pages; a call on neither of the last two is forgotten. */
  #page = 0
  #pageEndsAt = -Infinity
  #inFlight = 0
  #readAt = -Infinity
  #timeless = 0
  #picks = 0
  #empty = 0
  #failed = 0
  #ejections = 0
  #outages = 0
  #loadReports = 0

  constructor(options: BalancerOptions) {
    this.#options = options
    this.#dice = new Dice(options.random)
    this.#draw = new NodeDraw(this.#dice)
    this.#owners = new KeyOwners(options.defer, () => [...this.#members.values()].filter(isUsable))
  }

  /** Nodes that may be picked when nothing is left alone. */
  get size(): number {
    let size = 0
    for (const member of this.#members.values()) if (isUsable(member)) size += 1
    return size
  }

  /** @param isLate - It joins a set that was known: it starts slowly. */
  set(record: NodeRecord, isLate: boolean): void {
    const now = this.#options.now()
    const before = this.#members.get(record.id)
    let member = before
    if (before === undefined || before.record.epoch !== record.epoch) {
      if (before) this.#forget(before)
      member = new Member(record, isLate ? now : -Infinity)
      this.#members.set(record.id, member)
    }
    const isSame =
      before === member &&
      before?.record.state === record.state &&
      before.record.weight === record.weight &&
      before.record.zone === record.zone &&
      before.record.version === record.version
    member!.set(record)
    // What a link told is newer than what the record says, which is repeated with every change of it.
    if (record.load && now - member!.loadAt > this.#options.picking.forgetMs)
      member!.tell(record.load, now)
    // Only the load, or what no pick goes by: the table of keys stays.
    if (!isSame) this.#changed(true)
  }

  remove(id: string): void {
    const member = this.#members.get(id)
    if (!member) return
    this.#members.delete(id)
    this.#forget(member)
    this.#changed(true)
  }

  /** What a node says of itself, over a link: newer than its record. */
  tell(id: string, load: Load): void {
    this.#loadReports += 1
    this.#members.get(id)?.tell(load, this.#options.now())
  }

  /** The link to a node broke, or cannot be made. */
  lose(id: string): void {
    const member = this.#members.get(id)
    if (member) this.#lose(member, this.#options.now())
  }

  /** A link to a node stands (again). */
  restore(id: string): void {
    const member = this.#members.get(id)
    if (!member?.isOnProbation) return
    member.restore()
    this.#restored(member)
  }

  loadOf(id: string): { readonly load: Load; readonly ageMs: number } | undefined {
    const member = this.#members.get(id)
    if (member?.load === undefined) return undefined
    return { load: member.load, ageMs: this.#options.now() - member.loadAt }
  }

  pick(options?: PickPolicy | PickOptions): Picked | undefined {
    // A plain pick by key goes by no time, and reading the clock would be half of what it costs.
    const isTimeless =
      typeof options === 'object' &&
      'key' in options &&
      options.bound === undefined &&
      this.#candidates?.validUntil === Infinity &&
      ++this.#timeless % CLOCK_EVERY !== 0
    const now = isTimeless ? this.#readAt : (this.#readAt = this.#options.now())
    if (now >= this.#pageEndsAt) this.#turnPage(now)
    const member = this.#choose(options, now, undefined)
    if (member === undefined) {
      this.#empty += 1
      return undefined
    }
    this.#picks += 1
    member.fresh += 1
    this.#inFlight += 1
    member.pickedAt = now
    return makePicked(this, member, this.#page, isTimeless ? Number.NaN : now)
  }

  done(member: Member, page: number, pickedAt: number, outcome: Outcome | undefined): void {
    if (member.isGone) return
    const now = this.#options.now()
    if (now >= this.#pageEndsAt) this.#turnPage(now)
    if (page === this.#page) {
      member.fresh -= 1
      this.#inFlight -= 1
    } else if (page === this.#page - 1) {
      member.old -= 1
      this.#inFlight -= 1
    }
    const latencyMs = outcome?.latencyMs ?? now - pickedAt
    const isMeasured = !Number.isNaN(latencyMs)
    if (outcome?.unreachable === true) {
      this.#failed += 1
      this.#lose(member, now)
    } else if (outcome?.failed === true) {
      this.#failed += 1
      // A node that refuses at once is not a fast one.
      if (isMeasured && latencyMs > member.latencyMs) member.measure(latencyMs, now)
      this.#onFailed(member, now)
    } else {
      if (isMeasured) {
        member.measure(latencyMs, now)
        this.#draw.measured(latencyMs)
      }
      member.succeeded(now)
      if (member.isOnProbation && !member.isOut(now)) {
        member.isOnProbation = false
        this.#restored(member)
      }
    }
  }

  /** Tells what `pick` does next, and leaves everything as it is. */
  explain(options?: PickPolicy | PickOptions): Explanation {
    const now = this.#options.now()
    const {
      policy = 'p2c',
      loadOf = this.#options.loadOf,
      version,
      where,
    }: PickOptions = typeof options === 'string' || (options !== undefined && 'key' in options)
      ? { policy: options }
      : (options ?? {})
    const found = findCandidates(this.#members.values(), this.#options.picking, now, {
      version,
      where,
    })
    const trace: Trace = { drawn: [], reason: 'no node may be picked' }
    const { state } = this.#draw
    const member = this.#choose(options, now, trace)
    this.#draw.state = state
    const isByKey = typeof policy !== 'string'
    const { isPanicking } = found.candidates
    const whyOut = (each: Member): OutReason | undefined => {
      const out = found.reasons.get(each)
      if (!isByKey || (out !== 'zone' && out !== 'subset')) return out
      return each.takesKeys ? undefined : each.out
    }
    return {
      picked: member?.record.id,
      policy: isByKey ? `${policy.name}(${policy.key})` : policy,
      reason: trace.reason,
      isPanicking,
      zoneShare: found.candidates.far === undefined ? 1 : found.candidates.nearShare,
      nodes: [...this.#members.values()]
        .sort((a, b) => (a.record.id < b.record.id ? -1 : 1))
        .map((each) => ({
          id: each.record.id,
          out: whyOut(each),
          isDrawn: trace.drawn.includes(each),
          weight: each.weight,
          inFlight: each.inFlight,
          latencyMs: each.latencyMs === 0 ? undefined : each.latencyMs,
          successRate: each.success,
          load: each.load,
          loadAgeMs: each.load === undefined ? undefined : now - each.loadAt,
          cost: this.#draw.costOf(each, loadOf),
        })),
    }
  }

  stats(): PickStats {
    const now = this.#options.now()
    const members = [...this.#members.values()]
    return {
      picks: this.#picks,
      empty: this.#empty,
      inFlight: this.#inFlight,
      latencyMs: this.#draw.averageMs,
      failed: this.#failed,
      ejections: this.#ejections,
      outages: this.#outages,
      out: members.filter((member) => member.isOut(now)).length,
      isPanicking: findHealthy(members.filter(isUsable), this.#options.picking, now).isPanicking,
      loadReports: this.#loadReports,
    }
  }

  #choose(
    options: PickPolicy | PickOptions | undefined,
    now: number,
    trace: Trace | undefined,
  ): Member | undefined {
    const everybody = this.#candidatesNow(now)
    const draw = this.#draw
    if (options === undefined) {
      return draw.one('p2c', everybody, this.#options.loadOf, now, trace)
    }
    if (typeof options === 'string') {
      return draw.one(options, everybody, this.#options.loadOf, now, trace)
    }
    if ('key' in options) return this.#owners.find(options, undefined, this.#inFlight, trace)
    const { policy = 'p2c', loadOf = this.#options.loadOf } = options
    if (typeof policy !== 'string') {
      return this.#owners.find(policy, options, this.#inFlight, trace)
    }
    return draw.one(policy, this.#candidatesFor(options, everybody, now), loadOf, now, trace)
  }

  #candidatesNow(now: number): Candidates {
    const known = this.#candidates
    if (known !== undefined && now < known.validUntil) return known
    this.#byVersion.clear()
    const { picking } = this.#options
    const usable = [...this.#members.values()].filter(isUsable)
    for (const member of this.#members.values()) member.takesKeys = false
    this.#owners.setHealthy(findHealthy(usable, picking, now).pool)
    return (this.#candidates = findCandidates(this.#members.values(), picking, now).candidates)
  }

  #candidatesFor({ version, where }: Condition, everybody: Candidates, now: number): Candidates {
    const { picking } = this.#options
    if (where !== undefined) {
      return findCandidates(this.#members.values(), picking, now, { version, where }).candidates
    }
    if (version === undefined) return everybody
    let those = this.#byVersion.get(version)
    if (those === undefined) {
      those = findCandidates(this.#members.values(), picking, now, { version }).candidates
      this.#byVersion.set(version, those)
    }
    return those
  }

  #onFailed(member: Member, now: number): void {
    // Calls that were on their way when it was ejected say nothing new.
    if (member.isOut(now)) return
    const { picking } = this.#options
    if (!member.failed(now, picking)) return
    let ejected = 0
    for (const each of this.#members.values()) {
      if (each.out === 'ejected' && each.isOut(now)) ejected += 1
    }
    if (ejected >= Math.max(1, Math.floor(this.size * picking.maxEjectedShare))) return
    this.#ejections += 1
    member.eject(now, picking.ejectionMs, this.#dice.unit())
    this.#leftAlone(member, 'ejected', now)
  }

  #lose(member: Member, now: number): void {
    if (member.out === 'unreachable' && member.isOut(now)) return
    this.#outages += 1
    member.lose(now, this.#dice.unit())
    this.#leftAlone(member, 'unreachable', now)
  }

  #leftAlone(member: Member, kind: 'ejected' | 'unreachable', now: number): void {
    this.#changed(false)
    this.#options.onHealth?.({ node: member.record, kind, forMs: member.outUntil - now })
  }

  #restored(member: Member): void {
    member.out = undefined
    this.#changed(false)
    this.#options.onHealth?.({ node: member.record, kind: 'restored', forMs: 0 })
  }

  #changed(hasOtherNodes: boolean): void {
    this.#candidates = undefined
    if (hasOtherNodes) this.#owners.changed()
  }

  #forget(member: Member): void {
    member.isGone = true
    member.takesKeys = false
    this.#inFlight -= member.inFlight
  }

  #turnPage(now: number): void {
    const { forgetMs } = this.#options.picking
    // After a long silence both pages are over.
    const pages = now - this.#pageEndsAt >= forgetMs ? 2 : 1
    this.#page += pages
    this.#pageEndsAt = now + forgetMs
    this.#inFlight = 0
    for (const member of this.#members.values()) {
      for (let page = 0; page < pages; page += 1) member.turnPage()
      this.#inFlight += member.inFlight
    }
  }
}
