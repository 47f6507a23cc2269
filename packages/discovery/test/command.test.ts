import { describe, expect, it } from 'vitest'
import { parseCommand } from '../src/command-options.ts'
import { runCommand, type Terminal } from '../src/command.ts'
import { game, World } from './world.ts'

function screen(isInteractive = false) {
  const stopping = new AbortController()
  const seen = { out: '', err: '' }
  const terminal: Terminal = {
    write: (text) => void (seen.out += text),
    error: (text) => void (seen.err += text),
    columns: () => 80,
    isInteractive,
    hasColors: false,
    stopped: stopping.signal,
  }
  return { terminal, seen, stop: () => stopping.abort() }
}

async function make() {
  const world = new World()
  const { registry } = world.node()
  const registrations = []
  for (const id of ['game_1', 'game_2']) {
    registrations.push(await world.run(registry.register(game(id))))
  }
  await world.run(registry.register({ ...game('lobby_1'), role: 'lobby' }))
  const run = (args: readonly string[], to: Terminal) =>
    runCommand(parseCommand(args, {})!, {
      backend: world.store.client(),
      terminal: to,
      clock: world.clock,
      random: world.random,
    })
  return { world, registrations, run }
}

describe('rts-registry', () => {
  it('lists all nodes, or those of a role, as a table or as lines of JSON', async () => {
    const { world, run } = await make()
    const table = screen()
    expect(await world.run(run([], table.terminal))).toBe(0)
    expect(table.seen.out).toBe(
      [
        'ROLE   NODE     STATE    EPOCH              ADDRESSES',
        'game   game_1   ● ready  EPOCH  tcp://game_1:7001',
        'game   game_2   ● ready  EPOCH  tcp://game_2:7001',
        'lobby  lobby_1  ● ready  EPOCH  tcp://lobby_1:7001',
        '3 nodes: 3 ready',
        '',
      ]
        .join('\n')
        .replaceAll('EPOCH  tcp', `${await epochOf(world)}  tcp`),
    )
    const json = screen()
    await world.run(run(['list', 'lobby', '--json'], json.terminal))
    expect(JSON.parse(json.seen.out)).toMatchObject({ id: 'lobby_1', state: 'ready' })
    const nobody = screen()
    expect(await world.run(run(['list', 'gate'], nobody.terminal))).toBe(0)
    expect(nobody.seen).toEqual({ out: '', err: 'no gate nodes in cluster default\n' })
    await world.stop()
  })

  it('drains a node, which hears of it, and makes it ready again', async () => {
    const { world, run, registrations } = await make()
    const { terminal, seen } = screen()
    expect(await world.run(run(['drain', 'game/game_1'], terminal))).toBe(0)
    await world.clock.advance(100)
    expect(seen.out).toContain('◐ draining')
    expect(registrations[0]!.record.state).toBe('draining')
    expect(await world.run(run(['ready', 'game/game_1', '--json'], terminal))).toBe(0)
    await world.clock.advance(100)
    expect(registrations[0]!.record.state).toBe('ready')
    expect(await world.run(run(['drain', 'game/nobody'], terminal))).toBe(1)
    expect(seen.err).toBe('there is no node game/nobody in cluster default\n')
    await world.stop()
  })

  it('watches: a line for each change, or a table that is drawn anew', async () => {
    const { world, run, registrations } = await make()
    const lines = screen()
    const json = screen()
    const drawn = screen(true)
    const ends = [
      run(['watch', 'game'], lines.terminal),
      run(['watch', 'game', '--json'], json.terminal),
      run(['watch'], drawn.terminal),
    ]
    await world.clock.advance(500)
    await world.run(registrations[0]!.setState('draining'))
    await world.run(registrations[1]!.leave())
    await world.clock.advance(500)
    for (const each of [lines, json, drawn]) each.stop()
    expect(await world.run(Promise.all(ends))).toEqual([0, 0, 0])
    const told = ['join game_1', 'join game_2', 'update game_1', 'leave game_2']
    expect(
      json.seen.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { change: string; node: { id: string } })
        .map(({ change, node }) => `${change} ${node.id}`),
    ).toEqual(told)
    expect(lines.seen.out).toBe(
      'join   game/game_1 ready\njoin   game/game_2 ready\nupdate game/game_1 draining\nleave  game/game_2 ready\n',
    )
    const pictures = drawn.seen.out.split('\u001B[H\u001B[J')
    expect(pictures.length).toBeLessThan(5)
    expect(pictures.at(-1)).toContain('2 nodes: 1 ready, 1 draining')
    await world.stop()
  })
})

async function epochOf(world: World): Promise<string> {
  const { entries } = await world.store.range({ prefix: '/default/nodes/' })
  return (JSON.parse(entries[0]!.value) as { epoch: string }).epoch
}
