import { nodeClient } from '@rts/client/node'
import { systemClock } from '@rts/rpc'
import { eventually } from '@rts/testing'
import { expect, test } from 'vitest'
import { ArenaPlayer } from '../src/player/arena-player.ts'
import { login } from '../src/player/login.ts'
import { IDLE } from '../src/shared/rules.ts'
import { runArena } from './running-arena.ts'

const BOTS = 20
const BACK_WITHIN_MS = 5000

test('the game node crashes under 20 players: no connection closes, and all play again within 5 s', async () => {
  await using running = await runArena()
  const { arena } = running
  let closed = 0
  let lost = 0
  const players = await Promise.all(
    Array.from({ length: BOTS }, async (_, index) => {
      const { account, ticket, gates } = await login(arena.loginUrl, '/register', {
        name: `crash_${index}`,
        password: 'a bot needs no secret',
      })
      const client = nodeClient({ gates: gates.filter((url) => url.startsWith('tcp:')), ticket })
      client.on('closed', () => (closed += 1))
      client.on('lost', () => (lost += 1))
      const seen = { state: 0, acked: 0 }
      const player: ArenaPlayer = new ArenaPlayer(client, {
        account,
        clock: systemClock,
        events: {
          state: ({ ships }) => {
            seen.state = performance.now()
            seen.acked = ships.find(([seat]) => seat === player.seat)?.[6] ?? 0
          },
        },
      })
      await player.start()
      await player.play()
      return { player, seen }
    }),
  )
  try {
    await eventually(() => players.every(({ seen }) => seen.state > 0), { timeoutMs: 3000 })
    const crashed = performance.now()
    await arena.crash('game_1')
    // Playing again: an input sent now comes back in a state that the new node made.
    await eventually(
      () =>
        players.every(({ player, seen }) => {
          if (player.phase !== 'playing') return false
          return player.steer(IDLE) > 0 && seen.state > crashed && seen.acked > 0
        }),
      { timeoutMs: BACK_WITHIN_MS, message: 'not all players are back' },
    )
    console.log(
      `all ${BOTS} play again ${Math.round(performance.now() - crashed)} ms after the crash`,
    )
    expect(performance.now() - crashed).toBeLessThan(BACK_WITHIN_MS)
    expect({ closed, lost }).toEqual({ closed: 0, lost: 0 })
  } finally {
    for (const { player } of players) player.client.close()
  }
})
