import { setTimeout as sleep } from 'node:timers/promises'
import { type EtcdProcess, eventually, serviceBinary } from '@rts/testing'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Supervisor } from '../src/supervisor.ts'
import { hasMoved, look, ownShip, waitFor } from './page.ts'
import { IdlePlayers } from './players.ts'
import { ProcessCluster } from './process-cluster.ts'

const PLAYERS = 20
const ETCD_AWAY_MS = 20_000

describe.skipIf(serviceBinary('etcd') === undefined)(
  'a process for each node, players over TCP and over KCP with 10 % of all datagrams lost',
  () => {
    const cleanUp = new AsyncDisposableStack()
    let etcd: EtcdProcess
    let supervisor: Supervisor
    let loginUrl: string
    /** Plays beside the bots, where there is a browser. */
    let page: Page | undefined
    let session: string | undefined
    let pageErrors: readonly string[] = []

    beforeAll(async () => {
      const cluster = cleanUp.use(await ProcessCluster.start())
      ;({ etcd, supervisor, loginUrl } = cluster)
      const guest = await cluster.openPage()
      if (guest === undefined) return
      page = guest.page
      pageErrors = guest.errors
      await page.keyboard.down('ArrowUp')
      await page.keyboard.down('ArrowLeft')
      await pagePlays()
    }, 60_000)
    afterAll(() => cleanUp.disposeAsync())

    const ready = async (): Promise<void> => {
      while (supervisor.nodes.some(({ state }) => state !== 'ready')) await sleep(50)
    }

    /** The ship in the browser flies, in its first session, and nothing went wrong on the page. */
    const pagePlays = async (): Promise<void> => {
      if (page === undefined) return
      await waitFor(
        page,
        (seen) => seen.phase === 'playing' && ownShip(seen) !== undefined,
        'no ship on the page',
      )
      const before = await look(page)
      session ??= before.connection.session
      await waitFor(
        page,
        (seen) => hasMoved(ownShip(before), ownShip(seen)),
        'the ship on the page stands still',
      )
      expect((await look(page)).connection.session).toBe(session)
      expect(pageErrors).toEqual([])
    }

    test('kill -9 of a game: no connection closes, all play again within 5 s', async () => {
      using players = await IdlePlayers.join(loginUrl, PLAYERS)
      supervisor.kill('game_1')
      supervisor.kill('game_2')
      const tookMs = await players.play(5000)
      console.log(`both games killed: all ${PLAYERS} play again after ${Math.round(tookMs)} ms`)
      expect(players.sum('closed') + players.sum('lost')).toBe(0)
      expect(players.sum('interruptions')).toBeGreaterThanOrEqual(PLAYERS)
      await pagePlays()
      await ready()
    })

    test('kill -9 of a gate: its players play again through the other within 3 s, without logging in', async () => {
      using players = await IdlePlayers.join(loginUrl, PLAYERS)
      const before = players.sum('lost')
      supervisor.kill('gate_1')
      await sleep(20)
      const tookMs = await players.play(3000)
      console.log(
        `gate_1 killed: ${players.sum('lost') - before} players moved, all play after ${Math.round(tookMs)} ms`,
      )
      expect(players.sum('lost') - before).toBeGreaterThan(0)
      expect(players.sum('lost') - before).toBeLessThan(PLAYERS)
      expect({ logins: players.sum('logins'), closed: players.sum('closed') }).toEqual({
        logins: 0,
        closed: 0,
      })
      await pagePlays()
      await ready()
    })

    test('kill -9 of a lobby: nobody in a room notices', async () => {
      using players = await IdlePlayers.join(loginUrl, PLAYERS)
      supervisor.kill('lobby_1')
      await sleep(1500)
      await players.play(1000)
      const { all } = players
      await eventually(
        () => {
          const ages = all.map(({ stateAt }) => performance.now() - stateAt)
          expect(Math.max(...ages)).toBeLessThan(500)
        },
        { timeoutMs: 1000 },
      )
      expect(players.sum('interruptions') + players.sum('lost') + players.sum('closed')).toBe(0)
      await pagePlays()
      await ready()
      // And everybody finds a lobby again.
      const chats = all.map(({ player }) => player.desk.leaderboard())
      await expect(Promise.all(chats)).resolves.toHaveLength(PLAYERS)
    })

    test('etcd is away for 20 s: nobody notices', async () => {
      using players = await IdlePlayers.join(loginUrl, PLAYERS)
      etcd.kill()
      const until = performance.now() + ETCD_AWAY_MS
      const tookMs: number[] = []
      while (performance.now() < until) {
        tookMs.push(await players.play(1000))
        await Promise.all(players.all.map(({ player }) => player.desk.enter()))
        await sleep(1000)
      }
      await etcd.restart()
      await sleep(3000)
      tookMs.push(await players.play(1000))
      console.log(`without etcd all play after ${tookMs.map(Math.round).join(', ')} ms`)
      expect(players.sum('interruptions') + players.sum('lost') + players.sum('closed')).toBe(0)
      await pagePlays()
      // New players come in again as well.
      using more = await IdlePlayers.join(loginUrl, 2)
      expect(more.all).toHaveLength(2)
    })
  },
)
