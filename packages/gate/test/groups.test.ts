import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newCounters } from '../src/counters.ts'
import { Groups, type GroupMember } from '../src/groups.ts'

class Member implements GroupMember {
  readonly heard: number[] = []
  deliver(payload: Uint8Array): void {
    this.heard.push(payload[0]!)
  }
}

const make = (maxGroupsPerNode = 100, maxGroupsPerMember = 100): Groups =>
  new Groups({ maxGroupsPerNode, maxGroupsPerMember }, newCounters())
const send = (groups: Groups, node: string, name: string, value: number): number =>
  groups.multicast(node, name, Uint8Array.of(value), 'reliable', 0)

describe('Groups', () => {
  it('hands a frame to every member of the group, once, and to nobody else', () => {
    const groups = make()
    const [a, b, c] = [new Member(), new Member(), new Member()]
    groups.join('game_1', 'room', a)
    groups.join('game_1', 'room', a)
    groups.join('game_1', 'room', b)
    groups.join('game_1', 'other', c)
    expect(send(groups, 'game_1', 'room', 1)).toBe(2)
    expect([a.heard, b.heard, c.heard]).toEqual([[1], [1], []])
  })

  it('keeps groups of one name apart by the node that made them', () => {
    const groups = make()
    const member = new Member()
    groups.join('game_1', 'room', member)
    expect(send(groups, 'game_2', 'room', 1)).toBe(0)
    groups.dissolve('game_2', 'room')
    expect(send(groups, 'game_1', 'room', 2)).toBe(1)
    expect(member.heard).toEqual([2])
  })

  it('forgets a member that left everything, and groups without members', () => {
    const groups = make()
    const [a, b] = [new Member(), new Member()]
    groups.join('n', 'x', a)
    groups.join('n', 'y', a)
    groups.join('n', 'y', b)
    groups.leaveAll(a)
    expect(send(groups, 'n', 'x', 1)).toBe(0)
    expect(send(groups, 'n', 'y', 2)).toBe(1)
    expect([groups.count, groups.members]).toEqual([1, 1])
    groups.leave('n', 'y', b)
    expect([groups.count, groups.members]).toEqual([0, 0])
  })

  it('goes on to the others when hearing a frame makes one leave', () => {
    const groups = make()
    const last = new Member()
    const leaver: GroupMember = { deliver: () => groups.leaveAll(leaver) }
    groups.join('n', 'x', leaver)
    groups.join('n', 'x', last)
    send(groups, 'n', 'x', 1)
    send(groups, 'n', 'x', 2)
    expect(last.heard).toEqual([1, 2])
  })

  it('refuses more groups than a node or a member may have', () => {
    const groups = make(2, 1)
    const [a, b, c] = [new Member(), new Member(), new Member()]
    groups.join('n', 'x', a)
    groups.join('n', 'y', b)
    expect(() => groups.join('n', 'z', c)).toThrow(
      expect.objectContaining({ code: 'GATE_TOO_MANY_GROUPS' }),
    )
    expect(() => groups.join('n', 'y', a)).toThrow(
      expect.objectContaining({ code: 'GATE_TOO_MANY_GROUPS' }),
    )
    groups.dissolve('n', 'x')
    groups.join('n', 'z', c)
    expect(groups.count).toBe(2)
  })

  it('agrees with a plain set of memberships after any joins and leaves', () => {
    const act = fc.record({
      what: fc.constantFrom('join', 'leave', 'leaveAll', 'dissolve'),
      name: fc.constantFrom('x', 'y', 'z'),
      who: fc.nat(3),
    })
    fc.assert(
      fc.property(fc.array(act), (acts) => {
        const groups = make()
        const members = Array.from({ length: 4 }, () => new Member())
        const model = new Map<string, Set<number>>(['x', 'y', 'z'].map((name) => [name, new Set()]))
        for (const { what, name, who } of acts) {
          if (what === 'join') {
            groups.join('n', name, members[who]!)
            model.get(name)!.add(who)
          } else if (what === 'leave') {
            groups.leave('n', name, members[who]!)
            model.get(name)!.delete(who)
          } else if (what === 'leaveAll') {
            groups.leaveAll(members[who]!)
            for (const set of model.values()) set.delete(who)
          } else {
            groups.dissolve('n', name)
            model.get(name)!.clear()
          }
        }
        for (const [name, set] of model) expect(send(groups, 'n', name, 1)).toBe(set.size)
        expect(groups.members).toBe([...model.values()].reduce((sum, set) => sum + set.size, 0))
      }),
      { seed: 5 },
    )
  })
})
