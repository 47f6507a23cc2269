import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { nodeClient } from '@rts/client/node'
import { SqliteStore } from '@rts/store'
import { EtcdProcess, eventually, scratchFolder, serviceBinary } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { judgeBots, playWithBots } from '../bots/run.ts'
import { login } from '../src/player/login.ts'
import type { Avatar, LobbyDesk } from '../src/shared/server-api.ts'

const MAIN = join(import.meta.dirname, '..', 'src', 'main.js')
const STOP_WITHIN_MS = 3000

interface Program {
  readonly child: ChildProcess
  output(): string
  /** The exit code, and how long it took from the signal. */
  stop(signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }>
  ended(): Promise<number | null>
}

function run(args: readonly string[], cwd: string, env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, ['--conditions=@rts/source', MAIN, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const end = new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    child,
    output: () => output,
    ended: () => end,
    async stop(signal) {
      const began = performance.now()
      child.kill(signal)
      const code = await end
      return { code, tookMs: performance.now() - began }
    },
  }
}

const loginUrlOf = (program: Program): string | undefined =>
  /play at (http:\S+)/.exec(program.output())?.[1]

test('without a terminal the demo plays with bots and its exit code is their verdict', async () => {
  await using folder = await scratchFolder('demo')
  const demo = run(['demo', '--seconds', '4', '--bots', '6', '--port', '0'], folder.path)
  const code = await demo.ended()
  expect(demo.output()).toContain('the checks of the bots held')
  expect(demo.output()).toMatch(/gate_1 +gate/)
  expect(code, demo.output()).toBe(0)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s stops the demo within 3 s, and bags and scores are there after a restart',
  async (signal) => {
    await using folder = await scratchFolder('demo')
    const args = [
      'demo',
      '--seconds',
      '60',
      '--bots',
      '8',
      '--port',
      '0',
      '--store',
      'arena.sqlite',
    ]
    const first = run(args, folder.path)
    await eventually(() => loginUrlOf(first) !== undefined, { timeoutMs: 15_000 })
    const account = { name: 'kim', password: 'correct horse battery' }
    const open = async (program: Program, path: '/login' | '/register') => {
      const { ticket, gates } = await login(loginUrlOf(program)!, path, account)
      const client = nodeClient({ gates: gates.filter((url) => url.startsWith('tcp:')), ticket })
      await client.connect()
      return {
        client,
        desk: client.remote<typeof LobbyDesk>('lobby', 'desk'),
        avatar: client.remote<typeof Avatar>('lobby', 'avatar'),
      }
    }
    const before = await open(first, '/register')
    await before.desk.enter()
    expect(await before.avatar.bag.use('potion')).toBe(2)
    // Stopped at once: nothing but the stop itself can have saved it.
    const { code, tookMs } = await first.stop(signal)
    before.client.close()
    expect(code, first.output()).toBe(0)
    expect(tookMs).toBeLessThan(STOP_WITHIN_MS)

    const second = run(args, folder.path)
    await eventually(() => loginUrlOf(second) !== undefined, { timeoutMs: 15_000 })
    const after = await open(second, '/login')
    await after.desk.enter()
    expect(await after.avatar.bag.list()).toEqual([{ item: 'potion', count: 2 }])
    after.client.close()
    await second.stop(signal)

    const store = await new SqliteStore({ file: join(folder.path, 'arena.sqlite') }).open()
    const names = (await store.list('account', { limit: 100 })).map(
      ({ data }) => (data as { name: string }).name,
    )
    await store.close()
    expect(names).toContain('kim')
  },
)

describe.skipIf(serviceBinary('etcd') === undefined)(
  'each role as a process of its own, on etcd',
  () => {
    test('without a terminal the cluster plays with bots, stops its processes, and its exit code is the verdict', async () => {
      await using folder = await scratchFolder('cluster')
      const cluster = run(['cluster', '--seconds', '4', '--bots', '6', '--port', '0'], folder.path)
      const code = await cluster.ended()
      expect(cluster.output()).toContain('the checks of the bots held')
      const pids = [...cluster.output().matchAll(/(?:lobby|game|gate|http)_\d +ready +(\d+)/g)]
      expect(pids).toHaveLength(7)
      for (const [, pid] of pids) expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/)
      expect(code, cluster.output()).toBe(0)
    })

    test('the game is played over processes, and SIGTERM stops each within 3 s', async () => {
      await using folder = await scratchFolder('processes')
      await using etcd = await EtcdProcess.start()
      const env = { ETCD_URL: etcd.url }
      const start = (role: string) =>
        run(
          ['--role', role, '--id', `${role}_1`, '--port', '0', '--store', 'arena.sqlite'],
          folder.path,
          env,
        )
      const programs = ['lobby', 'game', 'gate', 'http'].map(start)
      try {
        for (const program of programs) {
          await eventually(() => expect(program.output()).toMatch(/^\w+_1 is ready: .*\n/m), {
            timeoutMs: 20_000,
            message: 'a node is not ready',
          })
        }
        const server = /is ready: (http:\S+)/.exec(programs[3]!.output())![1]!
        await eventually(async () => (await fetch(new URL('/health/ready', server))).ok, {
          timeoutMs: 10_000,
        })
        const report = await playWithBots({ server, count: 8, durationMs: 4000 })
        expect(report.errors).toEqual({})
        expect(judgeBots(report).misses).toEqual([])
        for (const program of programs) {
          const { code, tookMs } = await program.stop('SIGTERM')
          expect(code, program.output()).toBe(0)
          expect(tookMs).toBeLessThan(STOP_WITHIN_MS)
        }
      } finally {
        for (const { child } of programs) child.kill('SIGKILL')
      }
    })
  },
)
