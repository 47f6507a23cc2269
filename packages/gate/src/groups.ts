import type { Lane } from '@rts/session'
import type { GateCounters } from './counters.ts'
import { GateError } from './errors.ts'

/** Whoever hears a group: one binding of one session. */
export interface GroupMember {
  deliver(payload: Uint8Array, lane: Lane, key: number): void
}

interface Group {
  readonly nodeId: string
  readonly name: string
  readonly members: Set<GroupMember>
}

export interface GroupsOptions {
  readonly maxGroupsPerNode: number
  readonly maxGroupsPerMember: number
}

/** The multicast groups of all backends. A group belongs to the node that named it and is there while it has members. */
export class Groups {
  readonly #options: GroupsOptions
  readonly #counters: GateCounters
  readonly #nodes = new Map<string, Map<string, Group>>()
  readonly #groupsOf = new Map<GroupMember, Set<Group>>()

  constructor(options: GroupsOptions, counters: GateCounters) {
    this.#options = options
    this.#counters = counters
  }

  get count(): number {
    let count = 0
    for (const groups of this.#nodes.values()) count += groups.size
    return count
  }

  get members(): number {
    let count = 0
    for (const groups of this.#groupsOf.values()) count += groups.size
    return count
  }

  /** @throws GateError `GATE_TOO_MANY_GROUPS` past a limit. */
  join(nodeId: string, name: string, member: GroupMember): void {
    const groups = this.#nodes.get(nodeId)
    const mine = this.#groupsOf.get(member)
    let group = groups?.get(name)
    if (group?.members.has(member) === true) return
    const { maxGroupsPerNode, maxGroupsPerMember } = this.#options
    if ((mine?.size ?? 0) >= maxGroupsPerMember)
      this.#refuse(`a session is in ${maxGroupsPerMember} groups already`)
    if (group === undefined) {
      if ((groups?.size ?? 0) >= maxGroupsPerNode)
        this.#refuse(`node ${nodeId} has ${maxGroupsPerNode} groups already`)
      group = { nodeId, name, members: new Set() }
      if (groups === undefined) this.#nodes.set(nodeId, new Map([[name, group]]))
      else groups.set(name, group)
    }
    group.members.add(member)
    if (mine === undefined) this.#groupsOf.set(member, new Set([group]))
    else mine.add(group)
  }

  leave(nodeId: string, name: string, member: GroupMember): void {
    const group = this.#nodes.get(nodeId)?.get(name)
    if (group !== undefined) this.#remove(group, member)
  }

  /** The binding is over: it hears nothing more. */
  leaveAll(member: GroupMember): void {
    for (const group of this.#groupsOf.get(member) ?? []) this.#remove(group, member)
  }

  /** Ends a group. */
  dissolve(nodeId: string, name: string): void {
    const group = this.#nodes.get(nodeId)?.get(name)
    for (const member of group?.members ?? []) this.#remove(group!, member)
  }

  /** Hands one frame to every member. Returns how many there were. */
  multicast(nodeId: string, name: string, payload: Uint8Array, lane: Lane, key: number): number {
    const group = this.#nodes.get(nodeId)?.get(name)
    this.#counters.groupFrames += 1
    if (group === undefined) return 0
    // A copy: delivering to one who is gone may change the membership.
    const members = [...group.members]
    for (const member of members) member.deliver(payload, lane, key)
    this.#counters.groupDeliveries += members.length
    return members.length
  }

  #remove(group: Group, member: GroupMember): void {
    if (!group.members.delete(member)) return
    const mine = this.#groupsOf.get(member)
    mine?.delete(group)
    if (mine?.size === 0) this.#groupsOf.delete(member)
    if (group.members.size > 0) return
    const groups = this.#nodes.get(group.nodeId)
    groups?.delete(group.name)
    if (groups?.size === 0) this.#nodes.delete(group.nodeId)
  }

  #refuse(why: string): never {
    this.#counters.groupsRefused += 1
    throw new GateError('GATE_TOO_MANY_GROUPS', why)
  }
}
