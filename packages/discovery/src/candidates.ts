import { Group } from './group.ts'
import { hashText } from './hash.ts'
import type { Member } from './member.ts'
import type { NodeRecord } from './node-record.ts'
import type { Picking } from './picking.ts'
import { subsetOf } from './rendezvous.ts'

/** Why a node is not picked. */
export type OutReason =
  | 'starting'
  | 'draining'
  | 'weight'
  | 'version'
  | 'where'
  | 'subset'
  | 'unreachable'
  | 'ejected'
  | 'zone'

/** Who may be picked, until something changes. */
export interface Candidates {
  /** All of them, or those of the own zone. */
  readonly near: Group
  /** The other zones, where the own one does not suffice. */
  readonly far: Group | undefined
  /** The part of the picks that stays near. */
  readonly nearShare: number
  /** So few nodes are healthy that failures are not believed. */
  readonly isPanicking: boolean
  readonly size: number
  /** When to look again though nothing was told: an ejection ends, a new node has grown. */
  readonly validUntil: number
}

export interface Condition {
  readonly version?: string | undefined
  readonly where?: ((node: NodeRecord) => boolean) | undefined
}

/** The own zone keeps all picks while 1 in 1.4 of its nodes is healthy; Envoy's overprovisioning factor. */
const OVERPROVISIONING = 1.4
const PROBATION_SHARE = 0.1
const SLOW_START_SHARE = 0.1
const SLOW_START_STEPS = 20

export const isUsable = ({ record }: Member): boolean =>
  record.state === 'ready' && (record.weight ?? 1) > 0

/** Looks at every member: which reasons keep it out, and by what share it takes part. */
export function findCandidates(
  members: Iterable<Member>,
  picking: Picking,
  now: number,
  condition: Condition = {},
): { readonly candidates: Candidates; readonly reasons: ReadonlyMap<Member, OutReason> } {
  const reasons = new Map<Member, OutReason>()
  const sift = (from: readonly Member[], out: OutReason, stays: (member: Member) => boolean) =>
    from.filter((member) => {
      if (stays(member)) return true
      reasons.set(member, out)
      return false
    })
  const { version, where } = condition
  let usable: readonly Member[] = [...members]
  usable = sift(usable, 'starting', ({ record }) => record.state !== 'starting')
  usable = sift(usable, 'draining', ({ record }) => record.state !== 'draining')
  usable = sift(usable, 'weight', isUsable)
  if (version !== undefined)
    usable = sift(usable, 'version', ({ record }) => record.version === version)
  if (where !== undefined) usable = sift(usable, 'where', ({ record }) => where(record))
  if (picking.subset !== undefined) {
    const { key, size } = picking.subset
    const chosen = new Set(
      subsetOf(hashText(key), usable.map(asEntry), size).map(({ member }) => member),
    )
    usable = sift(usable, 'subset', (member) => chosen.has(member))
  }
  const { pool, isPanicking } = findHealthy(usable, picking, now)
  const inPool = new Set(pool)
  for (const member of usable) {
    if (!inPool.has(member)) reasons.set(member, member.out ?? 'ejected')
  }

  let validUntil = Infinity
  for (const member of usable) {
    if (now < member.outUntil) validUntil = Math.min(validUntil, member.outUntil)
    member.weight = member.share
    if (member.isOnProbation) member.weight *= PROBATION_SHARE
    const age = now - member.joinedAt
    if (age < picking.slowStartMs) {
      member.weight *= Math.max(SLOW_START_SHARE, age / picking.slowStartMs)
      validUntil = Math.min(validUntil, now + picking.slowStartMs / SLOW_START_STEPS)
    }
  }

  const mean = usable.reduce((sum, { share }) => sum + share, 0) / usable.length
  for (const member of usable) {
    member.relativeShare = member.share / mean
    member.relativeWeight = member.weight / mean
  }

  const { zone } = picking
  const local = zone === undefined ? [] : pool.filter(({ record }) => record.zone === zone)
  const near = new Group(local.length === 0 ? pool : local)
  let far: Group | undefined
  let nearShare = 1
  if (local.length > 0) {
    const expected = usable.filter(({ record }) => record.zone === zone).length
    const others = pool.filter(({ record }) => record.zone !== zone)
    nearShare = Math.min(1, (OVERPROVISIONING * local.length) / expected)
    if (nearShare < 1 && others.length > 0) far = new Group(others)
    else for (const member of others) reasons.set(member, 'zone')
  }
  const size = near.members.length + (far?.members.length ?? 0)
  return { candidates: { near, far, nearShare, isPanicking, size, validUntil }, reasons }
}

/**
 * Those that can be reached and do not fail. Where nearly all fail it is something else that fails, and where none
 * can be reached somebody has to be tried.
 */
export function findHealthy(
  usable: readonly Member[],
  { panicThreshold }: Picking,
  now: number,
): { readonly pool: readonly Member[]; readonly isPanicking: boolean } {
  const reachable = usable.filter((member) => !(member.isOut(now) && member.out === 'unreachable'))
  const healthy = reachable.filter((member) => !member.isOut(now))
  if (healthy.length > 0 && healthy.length >= usable.length * panicThreshold) {
    return { pool: healthy, isPanicking: false }
  }
  if (reachable.length > 0)
    return { pool: reachable, isPanicking: healthy.length < reachable.length }
  return { pool: usable, isPanicking: usable.length > 0 }
}

const asEntry = (member: Member): { member: Member; hash: number; share: number } => ({
  member,
  hash: member.hash,
  share: 1,
})
