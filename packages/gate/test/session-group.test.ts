import type { RpcTable } from '@rts/rpc'
import { describe, expect, it } from 'vitest'
import type { PlayerSession } from '../src/backend.ts'
import type { Player } from './support/player.ts'
import { World, type Backend } from './support/world.ts'

class Hud {
  static readonly rpc = { move: 'server', show: 'server' } as const satisfies RpcTable<Hud>
  readonly moves: number[] = []
  readonly shown: string[] = []
  move(step: number): void {
    this.moves.push(step)
  }
  show(text: string): void {
    this.shown.push(text)
  }
}

async function room(
  world: World,
  gates: readonly string[],
): Promise<{ lobby: Backend; players: Player[]; huds: Hud[]; sessions: PlayerSession[] }> {
  for (const gate of new Set(gates)) await world.gate(gate)
  const lobby = await world.backend('lobby_1')
  const players: Player[] = []
  const huds: Hud[] = []
  for (const gate of gates) {
    const player = await world.player(gate)
    const hud = new Hud()
    player.rpc.expose('hud', hud)
    players.push(player)
    huds.push(hud)
  }
  await world.until(() => lobby.players.size === gates.length)
  const sessions = players.map((player) => lobby.players.get(player.session.id!)!)
  return { lobby, players, huds, sessions }
}

describe('SessionGroup', () => {
  it('sends one frame to each gate, whatever the number of members there', async () => {
    await using world = new World()
    const { lobby, huds, sessions } = await room(world, ['gate_1', 'gate_1', 'gate_1', 'gate_2'])
    const group = lobby.players.group('room')
    for (const session of sessions) group.add(session)
    expect(group.size).toBe(4)
    expect(group.notify('hud', 'show', ['hello'])).toBe(true)
    group.remote<typeof Hud>('hud').show('typed')
    await world.until(() => huds.every((hud) => hud.shown.length === 2))
    expect(huds.map((hud) => hud.shown)).toEqual(huds.map(() => ['hello', 'typed']))
    const [one, two] = world.gates
    expect(one!.stats().groups).toMatchObject({ count: 1, members: 3, frames: 2, deliveries: 6 })
    expect(two!.stats().groups).toMatchObject({ count: 1, members: 1, frames: 2, deliveries: 2 })
  })

  it('keeps its frames in order with the calls to a single member', async () => {
    await using world = new World()
    const { lobby, huds, sessions } = await room(world, ['gate_1'])
    const group = lobby.players.group('room')
    group.add(sessions[0]!)
    const remote = sessions[0]!.remote<typeof Hud>('hud')
    const calls: Promise<void>[] = []
    for (let index = 0; index < 10; index += 1) {
      group.notify('hud', 'show', [`group ${index}`])
      calls.push(remote.show(`alone ${index}`))
    }
    await world.run(Promise.all(calls))
    const wanted = Array.from({ length: 10 }, (_, i) => [`group ${i}`, `alone ${i}`]).flat()
    expect(huds[0]!.shown).toEqual(wanted)
  })

  it('sends the state lane as state: a player without a link gets the newest of each key', async () => {
    await using world = new World()
    const { lobby, players, huds, sessions } = await room(world, ['gate_1', 'gate_1'])
    const group = lobby.players.group('room')
    for (const session of sessions) group.add(session)
    const state = group.remote<typeof Hud>('hud', { lane: 'state' })
    state.move(0)
    await world.until(() => huds.every((hud) => hud.moves.length === 1))
    world.network.cut('gate_1', 'host_1')
    await world.until(() => sessions[0]!.state === 'away')
    for (let step = 1; step <= 20; step += 1) {
      state.move(step)
      group.notify('hud', 'move', [100 + step], { lane: 'state', key: 1 })
      await world.clock.advance(50)
    }
    await world.run(players[0]!.dial('sim://gate_1:1'))
    await world.until(() => huds[0]!.moves.length >= 3)
    await world.clock.advance(200)
    expect(huds[0]!.moves.toSorted((a, b) => a - b)).toEqual([0, 20, 120])
    expect(huds[1]!.moves).toContain(20)
    expect(players[0]!.heard.every(({ lane }) => lane === 'state')).toBe(true)
  })

  it('lets members go: by remove, by close, and with their session or binding', async () => {
    await using world = new World()
    const { lobby, players, huds, sessions } = await room(world, [
      'gate_1',
      'gate_1',
      'gate_1',
      'gate_1',
    ])
    await world.backend('lobby_2')
    const group = lobby.players.group('room')
    for (const session of sessions) group.add(session)
    group.remove(sessions[0]!)
    players[1]!.session.close()
    await world.run(sessions[2]!.bind('lobby', 'lobby_2'))
    await world.until(() => group.size === 1)
    group.notify('hud', 'show', ['who is left'])
    await world.until(() => huds[3]!.shown.length === 1)
    await world.clock.advance(100)
    expect(huds.map((hud) => hud.shown.length)).toEqual([0, 0, 0, 1])
    group.close()
    await world.clock.advance(100)
    expect(world.gates[0]!.stats().groups).toMatchObject({ count: 0, members: 0 })
    expect(lobby.players.group('room')).not.toBe(group)
    expect(lobby.players.group('room').size).toBe(0)
  })

  it('does nothing for a session that is closed, one that is not in it, or no session at all', async () => {
    await using world = new World()
    const { lobby, players, sessions } = await room(world, ['gate_1'])
    const group = lobby.players.group('room')
    group.remove(sessions[0]!)
    expect(group.notify('hud', 'show', ['nobody hears'])).toBe(true)
    players[0]!.session.close()
    await world.until(() => sessions[0]!.state === 'closed')
    group.add(sessions[0]!)
    expect([group.size, group.has(sessions[0]!)]).toEqual([0, false])
    expect(world.gates[0]!.stats().groups.frames).toBe(0)
  })

  it('refuses a frame no player could take, at the caller', async () => {
    await using world = new World()
    const { lobby, sessions } = await room(world, ['gate_1'])
    const group = lobby.players.group('room')
    group.add(sessions[0]!)
    expect(() => group.notify('hud', 'show', ['x'.repeat(300_000)])).toThrow(RangeError)
    expect(() => group.notify('hud', 'show', [], { key: -1 })).toThrow(RangeError)
  })

  it('drops a member whom the gate does not take into more groups', async () => {
    await using world = new World()
    await world.gate('gate_1', { limits: { maxGroupsPerBinding: 2 } })
    const lobby = await world.backend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    for (const name of ['a', 'b', 'c']) lobby.players.group(name).add(session)
    await world.until(() => lobby.players.group('c').size === 0)
    expect(lobby.players.group('b').size).toBe(1)
    expect(world.gates[0]!.stats().groups).toMatchObject({ refused: 1, members: 2 })
  })

  it('hears nothing of a group of another node, even one of the same name', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.backend('lobby_1')
    const other = await world.backend('game_1')
    const player = await world.player()
    const hud = new Hud()
    player.rpc.expose('hud', hud)
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    lobby.players.group('room').add(session)
    await world.clock.advance(50)
    // A node that never had the player cannot make them a member either.
    other.players.group('room').add(session)
    await world.clock.advance(50)
    expect(world.gates[0]!.stats().groups.members).toBe(1)
  })
})
