import type { ReloadService } from '@rts/reload'
import { RpcNode, type ClusterAuth, type RpcPeer } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { tcp } from '@rts/rpc/tcp'
import { eventually, serviceBinary } from '@rts/testing'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { playWithBots } from '../bots/run.ts'
import { ClusterReload } from '../src/cluster-reload.ts'
import { loadConfig, type ArenaConfig } from '../src/config.ts'
import type { Supervisor } from '../src/supervisor.ts'
import { ArenaCopy } from './arena-copy.ts'
import { LINES } from './lines.ts'
import { IdlePlayers } from './players.ts'
import { ProcessCluster } from './process-cluster.ts'

const BOTS = 8
const PLAYERS = 6
/** What the bag says after the edit, and before. */
const EDITED_BAG = [{ item: 'potion', count: 300 }]
const BAG = [{ item: 'potion', count: 3 }]

describe.skipIf(serviceBinary('etcd') === undefined)(
  'code is reloaded in a running cluster',
  () => {
    const cleanUp = new AsyncDisposableStack()
    let arena: ArenaCopy
    let config: ArenaConfig
    let supervisor: Supervisor
    let reload: ClusterReload
    let players: IdlePlayers
    let stopBots: () => Promise<void>
    /** Where there is a browser: what its page says of the nodes. */
    let page: Page | undefined
    let pageErrors: readonly string[] = []

    beforeAll(async () => {
      arena = cleanUp.use(await ArenaCopy.make())
      const loaded = await loadConfig()
      config = { ...loaded, reload: { ...loaded.reload, watchMs: 1500 } }
      const cluster = cleanUp.use(await ProcessCluster.start(arena.main))
      const server = cluster.loginUrl
      supervisor = cluster.supervisor
      reload = new ClusterReload(config, () => supervisor.nodes)
      cleanUp.defer(() => reload.stop())
      const quit = new AbortController()
      const bots = playWithBots({ server, count: BOTS, signal: quit.signal })
      stopBots = async () => {
        quit.abort()
        const report = await bots
        expect(report.errors).toEqual({})
        expect(report.counters['resumes'] ?? 0).toBe(0)
      }
      cleanUp.defer(() => quit.abort())
      players = cleanUp.use(await IdlePlayers.join(server, PLAYERS, LINES))
      const guest = await cluster.openPage()
      if (guest === undefined) return
      page = guest.page
      pageErrors = guest.errors
      await page.evaluate('window.sameDocument = true')
    }, 60_000)
    afterAll(() => cleanUp.disposeAsync())

    const codes = (): Record<string, number | undefined> =>
      Object.fromEntries(supervisor.nodes.map(({ id, code }) => [id, code]))
    const pageSays = async (text: string): Promise<void> => {
      if (page === undefined) return
      const shown = page
      await eventually(async () => expect(await shown.textContent('#nodes-count')).toBe(text))
      expect(await shown.evaluate('window.sameDocument')).toBe(true)
      expect(pageErrors).toEqual([])
    }
    const bags = (): Promise<unknown[]> =>
      Promise.all(players.all.map(({ player }) => player.avatar.bag.list()))
    const everyBag = (bag: unknown): unknown[] => players.all.map(() => bag)
    const allAt = (version: number): Record<string, number | undefined> => ({
      ...{ lobby_1: version, lobby_2: version, game_1: version, game_2: version },
      ...{ gate_1: undefined, gate_2: undefined, http_1: undefined },
    })
    /** Nobody was disconnected, nobody had to join again, and all steer their ships now. */
    const allPlay = async (): Promise<void> => {
      await players.play(3000)
      expect(players.sum('interruptions') + players.sum('lost') + players.sum('closed')).toBe(0)
      expect(supervisor.nodes.map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0, 0, 0, 0])
    }

    test('an edit reaches all nodes that run the file, and nobody is disconnected', async () => {
      expect(await bags()).toEqual(everyBag(BAG))
      await pageSays('6, code 1')
      arena.edit('lobby/bag.ts', '({ item, count }))', '({ item, count: count * 100 }))')
      const told: string[] = []
      const { outcome, reloaded, lines } = await reload.run((line) => told.push(line))
      expect(outcome, lines.join('\n')).toBe('reloaded')
      expect(reloaded.toSorted()).toEqual(['game_1', 'game_2', 'lobby_1', 'lobby_2'])
      expect(told[0]).toMatch(/^game_\d, lobby_\d: new code, watched for 1.5 s; the others wait$/)
      expect(lines[0]).toMatch(
        /^game_1, game_2, lobby_1, lobby_2: new code, \S*bag\.ts, class Bag, in /,
      )
      await eventually(() => expect(codes()).toEqual(allAt(2)))
      await pageSays('6, code 2')
      expect(await bags()).toEqual(everyBag(EDITED_BAG))
      await allPlay()
      expect((await reload.run()).outcome).toBe('nothing-changed')
    })

    test('a syntax error changes nothing anywhere, and the outcome names file and line', async () => {
      const line = arena.edit('game/room.ts', 'this.#world.step()', 'this.#world.step(]')
      const { outcome, reloaded, lines } = await reload.run()
      expect({ outcome, reloaded }).toEqual({ outcome: 'refused', reloaded: [] })
      expect(lines.join('\n')).toMatch(
        new RegExp(`^nothing changed anywhere: .*game/room\\.ts:${line}`),
      )
      expect(codes()).toEqual(allAt(2))
      expect(await bags()).toEqual(everyBag(EDITED_BAG))
      await allPlay()
      arena.restore('game/room.ts')
    })

    test('an edit that throws in a step is taken back before the rest gets it, and players go on', async () => {
      const line = arena.edit(
        'game/room.ts',
        'this.#world.step()',
        'throw new Error("no such step")',
      )
      const { outcome, summaries, reason, stuck, lines } = await reload.run()
      expect({ outcome, stuck }, lines.join('\n')).toEqual({ outcome: 'rolled-back', stuck: [] })
      expect(reason).toMatch(/^game_\d: its error rate rose from 0% to \d/)
      expect(reason).toContain(`Error: no such step (game/room.ts:${line})`)
      // One of each role had it; the rest was never touched.
      expect([...summaries.keys()].map((id) => id.slice(0, -2)).sort()).toEqual(['game', 'lobby'])
      expect(lines[1]).toContain('2 other nodes never had the edit')
      await eventually(() => expect(codes()).toEqual(allAt(2)))
      await allPlay()
      // Undone in the file, it is what runs everywhere.
      arena.restore('game/room.ts')
      expect((await reload.run()).outcome).toBe('nothing-changed')
      expect(codes()).toEqual(allAt(2))
      await stopBots()
    })

    test('nobody but who proves the admin key reloads anything', async () => {
      const { control } = supervisor.nodes.find(({ id }) => id === 'game_1')!
      const connect = async (keys: { cluster?: ClusterAuth; admin?: ClusterAuth }) => {
        const node = new RpcNode({ id: 'somebody', transports: [tcp()], ...keys })
        cleanUp.defer(() => node.close())
        return node.connect(control!)
      }
      const reloadBy = (peer: RpcPeer): Promise<unknown> =>
        peer.service<typeof ReloadService, 'admin'>('reload').incremental()

      const stranger = await connect({})
      await expect(reloadBy(stranger)).rejects.toMatchObject({ code: 'RPC_FORBIDDEN' })
      const server = await connect({ cluster: clusterKey(config.clusterKey) })
      await expect(reloadBy(server)).rejects.toMatchObject({ code: 'RPC_FORBIDDEN' })
      const guess = connect({ admin: clusterKey('a guess at the key of admins') })
      await expect(guess).rejects.toMatchObject({ code: 'RPC_UNAUTHORIZED' })
      const { client } = players.all[0]!.player
      for (const route of ['lobby', 'game'] as const) {
        const remote = client.remote(route, 'reload') as unknown as { full(): Promise<unknown> }
        await expect(remote.full()).rejects.toMatchObject({ code: 'RPC_FORBIDDEN' })
      }
      const admin = await connect({ admin: clusterKey(config.adminKey) })
      await expect(reloadBy(admin)).resolves.toMatchObject({ ok: true, files: [] })
    })
  },
)
