import type { Candidates } from './candidates.ts'
import type { Dice } from './dice.ts'
import type { Trace } from './explain.ts'
import type { Group } from './group.ts'
import type { Member } from './member.ts'
import type { KeyPolicy, LoadOf, PickPolicy } from './pick.ts'

const GOLDEN_RATIO = 0.618033988749895
/** A node that loses every comparison is asked again after so long, in at most one of so many picks. */
const PROBE_AFTER_MS = 1000
const PICKS_PER_PROBE = 200
const AVERAGE_GAIN = 0.02
/** Latencies within this factor count as the same. */
const NEAR_LATENCY = 1.25

/** Draws nodes by every policy but those by key: by chance, in turn, or by what a call to them costs. */
export class NodeDraw {
  readonly #dice: Dice
  #turn: number
  #sinceProbe = 0
  #average = 1
  #hasAverage = false

  constructor(dice: Dice) {
    this.#dice = dice
    // Each process starts elsewhere, or all would send their first call to the same node.
    this.#turn = dice.below(65_536)
  }

  /** Smoothed over the calls to all nodes; `undefined` before the first was done. */
  get averageMs(): number | undefined {
    return this.#hasAverage ? this.#average : undefined
  }

  measured(latencyMs: number): void {
    this.#average = this.#hasAverage
      ? this.#average + (latencyMs - this.#average) * AVERAGE_GAIN
      : Math.max(latencyMs, 1e-3)
    this.#hasAverage = true
  }

  /** What the next draw goes by; put back, the same one comes again. */
  get state(): readonly [dice: number, turn: number, sinceProbe: number] {
    return [this.#dice.state, this.#turn, this.#sinceProbe]
  }

  set state([dice, turn, sinceProbe]: readonly [number, number, number]) {
    this.#dice.state = dice
    this.#turn = turn
    this.#sinceProbe = sinceProbe
  }

  /** One of the candidates, by a policy. */
  one(
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
      loadOf === undefined ? this.#isCheaper(b, a) : this.costOf(b, loadOf) < this.costOf(a, loadOf)
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
    let least = this.costOf(best, loadOf, true)
    for (let step = 1; step < members.length; step += 1) {
      const member = members[(start + step) % members.length]!
      const cost = this.costOf(member, loadOf, true)
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
    const latencyA = a.latencyMs > 0 ? a.latencyMs : this.#average
    const latencyB = b.latencyMs > 0 ? b.latencyMs : this.#average
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
  costOf(member: Member, loadOf: LoadOf | undefined, isSlow = false): number {
    const known = loadOf?.(member.record)
    if (known !== undefined) return Math.max(0, known) / (isSlow ? member.weight : member.share)
    const latencyMs = member.latencyMs > 0 ? member.latencyMs : this.#average
    return latencyMs * member.queue(isSlow ? member.relativeWeight : member.relativeShare)
  }
}
