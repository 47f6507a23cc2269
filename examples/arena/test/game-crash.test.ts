import { expect, test } from 'vitest'
import { IdlePlayers } from './players.ts'
import { runArena } from './running-arena.ts'

const PLAYERS = 20
const BACK_WITHIN_MS = 5000

test('the game node crashes under 20 players, over TCP and over KCP with 10 % of all datagrams lost: no connection closes, and all play again within 5 s', async () => {
  await using running = await runArena()
  using players = await IdlePlayers.join(running.arena.loginUrl, PLAYERS)
  const began = performance.now()
  const restarted = running.arena.crash('game_1')
  await players.play(BACK_WITHIN_MS)
  const tookMs = performance.now() - began
  await restarted
  console.log(`all ${PLAYERS} play again ${Math.round(tookMs)} ms after the crash`)
  expect(tookMs).toBeLessThan(BACK_WITHIN_MS)
  expect({ closed: players.sum('closed'), lost: players.sum('lost') }).toEqual({
    closed: 0,
    lost: 0,
  })
  expect(players.sum('interruptions')).toBe(PLAYERS)
})
