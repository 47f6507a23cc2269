import { describe, expect, test } from 'vitest'
import { SimulatedArena, type SimulatedLine } from './simulated-arena.ts'
import { SimulatedPlayer } from './simulated-player.ts'

const PLAYERS = ['ann', 'bob', 'cid', 'dan']
const LINKS = [
  ...PLAYERS.flatMap((name) => [[name, 'gate_1'] as const, [name, 'gate_2'] as const]),
  ['gate_1', 'lobby_1'],
  ['gate_2', 'lobby_2'],
  ['gate_1', 'game_1'],
  ['gate_2', 'game_2'],
  ['lobby_1', 'lobby_2'],
  ['lobby_1', 'game_1'],
] as const

const GATE_CRASH_AT = 6000

interface Story {
  readonly log: readonly string[]
  readonly violations: readonly string[]
  readonly states: number
  readonly begun: number
  readonly settled: number
}

/** Twelve seconds of play with cuts at random, a game node that crashes in the middle, and for odd seeds a gate. */
async function play(seed: number, line: SimulatedLine): Promise<Story> {
  const arena = new SimulatedArena(seed, line)
  await arena.start()
  const players = new Map<string, SimulatedPlayer>()
  for (const name of PLAYERS) players.set(name, new SimulatedPlayer(name, arena, players))
  const all = [...players.values()]
  for (const player of all) player.start()
  const violations: string[] = []
  const faults = arena.random.fork()
  const crashAt = 4000 + faults.int(3000)
  let nextCut = 1500
  for (let time = 0; time < 12_000; time += 100) {
    await arena.clock.advance(100)
    for (const player of all) {
      if (player.isIn && player.player.phase === 'lobby') void player.player.play()
      player.steer()
      if (time % 300 === 0) player.say()
    }
    if (time >= nextCut && time < 9000) {
      const [a, b] = LINKS[faults.int(LINKS.length)]!
      arena.cut(a, b)
      nextCut = time + 200 + faults.int(1200)
    }
    if (time <= crashAt && crashAt < time + 100) {
      arena.crash(faults.next() < 0.5 ? 'game_1' : 'game_2', 500)
    }
    if (seed % 2 === 1 && time === GATE_CRASH_AT) arena.crash('gate_1', 500)
    violations.push(...arena.rootsWithTwoOwners().map((root) => `${root} has two owners`))
  }
  const states = all.reduce((sum, player) => sum + player.states, 0)
  // Quiet: whatever is still under way settles within its deadline.
  await arena.clock.advance(5000)
  const begun = all.reduce((sum, player) => sum + player.callsBegun, 0)
  const settled = all.reduce((sum, player) => sum + player.callsSettled, 0)
  for (const { client } of all) client.close()
  await arena.stop()
  for (const player of all) violations.push(...player.violations)
  return { log: arena.log, violations, states, begun, settled }
}

const LINES = [
  { line: 'sim', name: 'simulated links', seeds: 100 },
  { line: 'kcp', name: 'KCP that loses a tenth of all datagrams', seeds: 25 },
] as const

describe.each(LINES)('players over $name', ({ line, seeds }) => {
  test('the same seed tells the same story twice, and another seed another', async () => {
    const [first, again, other] = [await play(1, line), await play(1, line), await play(2, line)]
    expect(again.log).toEqual(first.log)
    expect(other.log).not.toEqual(first.log)
  })

  test(`${seeds} seeds with cuts, a crashed game node and a crashed gate: nothing reliable is lost, doubled or reordered, no root has two owners, every call settles`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { violations, begun, settled, states } = await play(seed, line)
      expect(violations, `seed ${seed}`).toEqual([])
      expect(settled, `seed ${seed}: calls settled`).toBe(begun)
      expect(states, `seed ${seed}: states seen`).toBeGreaterThan(200)
    }
  })
})

test('players of different lobbies meet in one room until it is full', async () => {
  const arena = new SimulatedArena(4)
  await arena.start()
  const players = new Map<string, SimulatedPlayer>()
  const says = (role: string): string[] =>
    arena.nodes.filter((node) => node.role === role).map((node) => node.describe())
  const ofGames = (what: RegExp): number =>
    says('game').reduce((sum, text) => sum + Number(what.exec(text)?.[0]), 0)
  const rooms: number[] = []
  for (const name of PLAYERS) {
    const player = new SimulatedPlayer(name, arena, players)
    players.set(name, player)
    player.start()
    await arena.clock.runUntil(() => player.isIn, { limitMs: 5000 })
    void player.player.play()
    await arena.clock.runUntil(() => player.player.phase === 'playing', { limitMs: 5000 })
    rooms.push(ofGames(/\d+(?= room)/))
    if (rooms.length === 3)
      expect(says('lobby').filter((text) => text.startsWith('0 '))).toEqual([])
  }
  expect(ofGames(/\d+(?= ship)/)).toBe(4)
  // Three seats to a room.
  expect(rooms).toEqual([1, 1, 1, 2])
  for (const { client } of players.values()) client.close()
  await arena.stop()
})
