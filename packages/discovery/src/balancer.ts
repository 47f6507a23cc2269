import {
  findCandidates,
  findHealthy,
  isUsable,
  type Candidates,
  type Condition,
  type OutReason,
} from './candidates.ts'
import { Dice } from './dice.ts'
import type { Explanation } from './explain.ts'
import type { Group } from './group.ts'
import { hashText, mix } from './hash.ts'
import type { Load } from './load.ts'
import { maglevSlot, maglevTable } from './maglev.ts'
import { Member } from './member.ts'
import type { NodeRecord } from './node-record.ts'
import type { KeyPolicy, LoadOf, Outcome, Picked, PickOptions, PickPolicy } from './pick.ts'
import { makePicked, type Counter } from './picked.ts'
import type { Picking } from './picking.ts'
import type { Random } from './random.ts'
import { highestBidder } from './rendezvous.ts'

const GOLDEN_RATIO = 0.618033988749895
/** A node that loses every comparison is asked again after so long, in at most one of so many picks. */
const PROBE_AFTER_MS = 1000
const PICKS_PER_PROBE = 200
/** How many nodes a key tries before it looks at all of them. */
const KEY_TRIES = 32
const KEY_STEP = 0x9e3779b9
/** So many plain picks by key share one look at the clock, which only turns pages. */
const CLOCK_EVERY = 64
const AVERAGE_GAIN = 0.02
/** Latencies within this factor count as the same. */
const NEAR_LATENCY = 1.25

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

/** What a policy did, for `explain`. */
interface Trace {
  readonly drawn: Member[]
  reason: string
}

/** Chooses among the nodes of a role and keeps count of what became of the choices. */
export class Balancer implements Counter {
  readonly #options: BalancerOptions
  readonly #dice: Dice
  readonly #members = new Map<string, Member>()
  #candidates: Candidates | undefined
  readonly #byVersion = new Map<string, Candidates>()
  #turn: number
  #table: Uint32Array | undefined
  #tableOf: readonly Member[] = []
  #isTableOld = true
  #isTablePlanned = false
  #keyed: readonly Member[] = []
  /** Calls in flight are counted on pages; a call on neither of the last two is forgotten. */
  #page = 0
  #pageEndsAt = -Infinity
  #inFlight = 0
  #averageMs = 1
  #hasAverage = false
  #sinceProbe = 0
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
    // Each process starts elsewhere, or all would send their first call to the same node.
    this.#turn = this.#dice.below(65_536)
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
      if (isMeasured) this.#measured(member, latencyMs, now)
      member.succeeded(now)
      if (member.isOnProbation && !member.isOut(now)) {
        member.isOnProbation = false
        this.#restored(member)
      }
    }
  }

  #measured(member: Member, latencyMs: number, now: number): void {
    member.measure(latencyMs, now)
    this.#averageMs = this.#hasAverage
      ? this.#averageMs + (latencyMs - this.#averageMs) * AVERAGE_GAIN
      : Math.max(latencyMs, 1e-3)
    this.#hasAverage = true
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
    const [state, turn, sinceProbe] = [this.#dice.state, this.#turn, this.#sinceProbe]
    const member = this.#choose(options, now, trace)
    this.#dice.state = state
    this.#turn = turn
    this.#sinceProbe = sinceProbe
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
          cost: this.#costOf(each, loadOf),
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
      latencyMs: this.#hasAverage ? this.#averageMs : undefined,
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
    if (options === undefined) {
      return this.#draw('p2c', everybody, this.#options.loadOf, now, trace)
    }
    if (typeof options === 'string') {
      return this.#draw(options, everybody, this.#options.loadOf, now, trace)
    }
    if ('key' in options) return this.#byKey(options, undefined, trace)
    const { policy = 'p2c', loadOf = this.#options.loadOf } = options
    if (typeof policy !== 'string') return this.#byKey(policy, options, trace)
    return this.#draw(policy, this.#candidatesFor(options, everybody, now), loadOf, now, trace)
  }

  #draw(
    policy: Exclude<PickPolicy, KeyPolicy>,
    { near, far, nearShare }: Candidates,
    loadOf: LoadOf | undefined,
    now: number,
    trace: Trace | undefined,
  ): Member | undefined {
    const group = far !== undefined && this.#dice.unit() >= nearShare ? far : near
    const { members } = group
    if (members.length < 2) {
      if (trace && members[0]) trace.reason = 'the only candidate'
      return members[0]
    }
    switch (policy) {
      case 'p2c':
        return this.#p2c(group, loadOf, now, trace)
      case 'weighted': {
        if (trace) trace.reason = 'drawn by weight'
        return members[group.draw(this.#dice)]
      }
      case 'roundRobin': {
        if (trace) trace.reason = 'its turn'
        const turn = this.#turn++
        // Multiples of the golden ratio fall evenly over the weights however long the sequence runs.
        return members[group.isEven ? turn % members.length : group.at((turn * GOLDEN_RATIO) % 1)]
      }
      case 'leastLoaded':
        return this.#leastLoaded(members, loadOf, trace)
    }
  }

  #p2c(group: Group, loadOf: LoadOf | undefined, now: number, trace: Trace | undefined): Member {
    const first = group.draw(this.#dice)
    const a = group.members[first]!
    const b = group.members[group.drawOther(this.#dice, first)]!
    const isSecond =
      loadOf === undefined
        ? this.#isCheaper(b, a)
        : this.#costOf(b, loadOf) < this.#costOf(a, loadOf)
    const winner = isSecond ? b : a
    const loser = isSecond ? a : b
    this.#sinceProbe += 1
    const isProbe =
      loadOf === undefined &&
      this.#sinceProbe >= PICKS_PER_PROBE &&
      now - loser.pickedAt >= PROBE_AFTER_MS
    if (isProbe) this.#sinceProbe = 0
    if (trace) {
      trace.drawn.push(a, b)
      trace.reason = isProbe
        ? `costs more than ${winner.record.id}, and has not been tried for a while`
        : `costs no more than ${loser.record.id}, the other of two drawn`
    }
    return isProbe ? loser : winner
  }

  /** Ties go to the next in turn, so that equal nodes share. */
  #leastLoaded(
    members: readonly Member[],
    loadOf: LoadOf | undefined,
    trace: Trace | undefined,
  ): Member {
    const start = this.#turn++ % members.length
    let best = members[start]!
    let least = this.#costOf(best, loadOf, true)
    for (let step = 1; step < members.length; step += 1) {
      const member = members[(start + step) % members.length]!
      const cost = this.#costOf(member, loadOf, true)
      if (cost < least) {
        best = member
        least = cost
      }
    }
    if (trace) {
      trace.drawn.push(...members)
      trace.reason = 'costs least of all'
    }
    return best
  }

  /** Latencies that hardly differ are the same: else chance in the last samples would decide every tie. */
  #isCheaper(a: Member, b: Member): boolean {
    const latencyA = a.latencyMs > 0 ? a.latencyMs : this.#averageMs
    const latencyB = b.latencyMs > 0 ? b.latencyMs : this.#averageMs
    const isNear = latencyA < latencyB * NEAR_LATENCY && latencyB < latencyA * NEAR_LATENCY
    const queueA = a.queue(a.relativeShare)
    const queueB = b.queue(b.relativeShare)
    return isNear ? queueA < queueB : queueA * latencyA < queueB * latencyB
  }

  /**
   * How long the next call takes after those in flight. A node nobody has measured counts as an average one; an idle
   * heavy node costs what an idle light one does, but is drawn more often.
   *
   * @param isSlow - Where nobody is drawn by weight, a new node has to start slowly by its cost.
   */
  #costOf(member: Member, loadOf: LoadOf | undefined, isSlow = false): number {
    const known = loadOf?.(member.record)
    if (known !== undefined) return Math.max(0, known) / (isSlow ? member.weight : member.share)
    const latencyMs = member.latencyMs > 0 ? member.latencyMs : this.#averageMs
    return latencyMs * member.queue(isSlow ? member.relativeWeight : member.relativeShare)
  }

  /** Zones and subsets do not matter here: everybody has to find the same node. */
  #byKey(
    { name, key, bound }: KeyPolicy,
    condition: Condition | undefined,
    trace: Trace | undefined,
  ): Member | undefined {
    const most =
      bound === undefined
        ? Infinity
        : Math.ceil((bound * (this.#inFlight + 1)) / Math.max(1, this.#keyed.length))
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
    if (most === Infinity) return highestBidder(hash, this.#keyed, may)
    const hasRoom = (member: Member): boolean => member.inFlight < most && meets(member, condition)
    return highestBidder(hash, this.#keyed, hasRoom) ?? highestBidder(hash, this.#keyed, may)
  }

  #tableNow(): Uint32Array {
    if (this.#table === undefined) this.#buildTable()
    else if (this.#isTableOld && !this.#isTablePlanned) {
      // The old one leads past nodes that are gone; new ones can wait for the end of this turn.
      this.#isTablePlanned = true
      this.#options.defer(() => {
        this.#isTablePlanned = false
        if (this.#isTableOld) this.#buildTable()
      })
    }
    return this.#table!
  }

  #buildTable(): void {
    this.#tableOf = [...this.#members.values()].filter(isUsable)
    this.#table = maglevTable(
      this.#tableOf.map(({ record, share }) => ({ id: record.id, weight: share })),
    )
    this.#isTableOld = false
  }

  #candidatesNow(now: number): Candidates {
    const known = this.#candidates
    if (known !== undefined && now < known.validUntil) return known
    this.#byVersion.clear()
    const { picking } = this.#options
    const usable = [...this.#members.values()].filter(isUsable)
    this.#keyed = findHealthy(usable, picking, now).pool
    for (const member of this.#members.values()) member.takesKeys = false
    for (const member of this.#keyed) member.takesKeys = true
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
    if (hasOtherNodes) this.#isTableOld = true
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

const meets = ({ record }: Member, condition: Condition | undefined): boolean =>
  condition === undefined ||
  ((condition.version === undefined || record.version === condition.version) &&
    (condition.where === undefined || condition.where(record)))
