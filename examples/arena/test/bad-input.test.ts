import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry, EtcdBackend } from '@rts/discovery'
import { nodeClient } from '@rts/client/node'
import { tickets } from '@rts/http'
import { RpcNode, systemClock } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { tcp } from '@rts/rpc/tcp'
import { freePort, scratchFolder, seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { judge } from '@rts/bots'
import { playWithBots } from '../bots/run.ts'
import { Arena } from '../src/arena.ts'
import { loadConfig } from '../src/config.ts'
import { login } from '../src/player/login.ts'
import type { LobbyDesk } from '../src/shared/server-api.ts'
import { type Line, LINES } from './lines.ts'
import { gateUrl, nodeOf, runArena, testConfig } from './running-arena.ts'

const PASSWORD = 'correct horse battery'

async function failure(promise: Promise<unknown>): Promise<{ code?: string; message: string }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(Error)
  return outcome as Error & { code?: string }
}

/** The arena still takes players, over each line. */
async function stillPlays(arena: Arena): Promise<void> {
  const play = async ({ scheme, transport }: Line): Promise<void> => {
    const report = await playWithBots({
      server: arena.loginUrl,
      count: 2,
      durationMs: 1500,
      rampMs: 0,
      transport: scheme,
      dialer: transport,
      namePrefix: scheme,
    })
    expect(report.errors).toEqual({})
    const atLeast = { inputs: 2, states: 2, 'chat lines': 1 }
    expect(judge(report, { atLeast }).misses).toEqual([])
  }
  await Promise.all(LINES.map(play))
}

/** Sends bytes to a port and settles when the other end has closed. */
function sendRaw(url: string, bytes: Uint8Array): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
  })
}

/** Sends each of them as a datagram to a port. */
async function sendDatagrams(url: string, datagrams: readonly Uint8Array[]): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = createSocket('udp4')
  await Promise.all(
    datagrams.map(
      (bytes) =>
        new Promise<void>((resolve) => {
          socket.send(bytes, Number(port), hostname, () => resolve())
        }),
    ),
  )
  socket.close()
}

test('a wrong password, an unknown account and a bad request are refused with a code', async () => {
  await using running = await runArena()
  const server = running.arena.loginUrl
  await login(server, '/register', { name: 'kim', password: PASSWORD })
  expect(
    (await failure(login(server, '/login', { name: 'kim', password: 'wrong password' }))).code,
  ).toBe('HTTP_UNAUTHORIZED')
  expect(
    (await failure(login(server, '/login', { name: 'nobody', password: PASSWORD }))).code,
  ).toBe('HTTP_UNAUTHORIZED')
  expect(
    (await failure(login(server, '/register', { name: 'k m', password: PASSWORD }))).code,
  ).toBe('HTTP_BAD_REQUEST')
  expect(
    (await failure(login(server, '/register', { name: 'kim', password: PASSWORD }))).code,
  ).toBe('HTTP_NAME_TAKEN')
})

test.each(LINES)(
  'an expired and a forged ticket stop the client with the reason, over $name',
  async ({ scheme, transport }) => {
    await using running = await runArena()
    const { ticketSecret } = await testConfig()
    let wallMs = Date.now() - 3_600_000
    const old = tickets({
      secret: ticketSecret,
      ttlSeconds: 60,
      clock: { ...systemClock, wall: () => wallMs },
    }).sign('kim')
    wallMs = Date.now()
    const forged = tickets({
      secret: 'another secret of at least 32 bytes, surely',
      ttlSeconds: 60,
    }).sign('kim')
    for (const [ticket, code] of [
      [old, 'HTTP_TICKET_EXPIRED'],
      [forged, 'HTTP_TICKET_INVALID'],
    ] as const) {
      const client = nodeClient({
        gates: [gateUrl(running.arena, scheme)],
        ticket,
        transports: [transport()],
      })
      const error = await failure(client.connect())
      expect(error.code).toBe('CLIENT_STOPPED')
      expect(error.message).toContain(code)
      expect(client.state).toBe('closed')
    }
  },
)

test.each(LINES)(
  'a player can call neither what does not exist nor what is not open to players, over $name',
  async ({ scheme, transport }) => {
    await using running = await runArena()
    const { ticket, gates } = await login(running.arena.loginUrl, '/register', {
      name: 'kim',
      password: PASSWORD,
    })
    await using client = nodeClient({
      gates: gates.filter((url) => url.startsWith(`${scheme}:`)),
      ticket,
      transports: [transport()],
    })
    await client.connect()
    const desk = client.remote<typeof LobbyDesk>('lobby', 'desk')
    await desk.enter()
    const call = (service: string, method: string): Promise<unknown> =>
      (client.remote('lobby', service) as unknown as Record<string, () => Promise<unknown>>)[
        method
      ]!()
    for (const [service, method] of [
      ['desk', 'nothing'],
      ['nothing', 'enter'],
      ['avatar', 'addScore'],
      ['chat', 'relay'],
      ['cluster.roots', 'create'],
    ] as const) {
      const error = await failure(call(service, method))
      expect(error.code, `${service}.${method}`).toMatch(
        /^RPC_(UNKNOWN_METHOD|UNKNOWN_SERVICE|FORBIDDEN)$/,
      )
    }
    const bag = client.remote<typeof LobbyDesk>('lobby', 'avatar') as unknown as {
      bag: { grant(item: string, count: number): Promise<void>; use(item: string): Promise<number> }
    }
    expect((await failure(bag.bag.grant('potion', 99))).code).toMatch(
      /^RPC_(FORBIDDEN|UNKNOWN_METHOD)$/,
    )
    expect((await failure(bag.bag.use('sword'))).code).toBe('ARENA_NO_ITEM')
  },
)

test('a peer that claims to be a server without the key is refused', async () => {
  await using running = await runArena()
  const lobby = nodeOf(running.arena, 'lobby').addresses[0] ?? ''
  await using impostor = new RpcNode({
    id: 'lobby_9',
    role: 'lobby',
    transports: [tcp()],
    cluster: clusterKey('not the key of this cluster'),
  })
  expect((await failure(impostor.connect(lobby))).code).toBe('RPC_UNAUTHORIZED')
  await stillPlays(running.arena)
})

test('garbage and a frame of 100 MB on the ports of the gate, TCP and UDP, and of a server close that link alone', async () => {
  await using running = await runArena()
  const { arena } = running
  const random = seededRandom(1)
  const huge = new Uint8Array(64)
  new DataView(huge.buffer).setUint32(0, 100 * 1024 * 1024, true)
  const urls = [gateUrl(arena, 'tcp'), gateUrl(arena, 'ws'), nodeOf(arena, 'lobby').addresses[0]!]
  const before = process.memoryUsage().rss
  const attacks = urls.flatMap((url) =>
    [huge, ...Array.from({ length: 20 }, () => random(1 + random.int(2000)))].map((bytes) =>
      sendRaw(url, bytes),
    ),
  )
  const datagrams = Array.from({ length: 1000 }, () => random(1 + random.int(1500)))
  attacks.push(sendDatagrams(gateUrl(arena, 'kcp'), [huge, ...datagrams]))
  await Promise.all(attacks)
  expect(process.memoryUsage().rss - before).toBeLessThan(90 * 1024 * 1024)
  await stillPlays(arena)
})

test('a syntax error in the configuration is told with its place', async () => {
  await using folder = await scratchFolder('config')
  const file = join(folder.path, 'arena.json5x')
  await writeFile(file, "{\n  cluster: 'arena',\n  clusterKey 'x',\n}\n")
  const error = await failure(loadConfig(file))
  expect(error.code).toMatch(/^JSON5X_/)
  expect(error.message).toContain('arena.json5x:3:')
  await writeFile(file, "{ cluster: 'arena' }")
  expect((await failure(loadConfig(file))).message).toContain(
    'clusterKey: expected string, found undefined',
  )
})

test('a port in use is a coded error, and what was started is stopped again', async () => {
  await using running = await runArena()
  const config = await testConfig()
  const taken = (url: string): Arena =>
    new Arena(
      { ...config, listen: { ...config.listen, tcp: url } },
      { debug() {}, info() {}, warn() {}, error() {} },
    )
  expect((await failure(taken(gateUrl(running.arena, 'tcp')).start())).code).toBe(
    'RPC_LISTEN_FAILED',
  )
  const port = Number(new URL(running.arena.loginUrl).port)
  const arena = new Arena(
    { ...config, http: { ...config.http, port } },
    { debug() {}, info() {}, warn() {}, error() {} },
  )
  expect((await failure(arena.start())).code).toBe('HTTP_LISTEN_FAILED')
  await stillPlays(running.arena)
})

test('etcd that is down at the start is a coded error within seconds', async () => {
  const backend = new EtcdBackend({ hosts: `http://127.0.0.1:${await freePort()}` })
  await using registry = new Registry(backend, { ttlSeconds: 3 })
  expect((await failure(registry.start())).code).toBe('DISCOVERY_UNAVAILABLE')
})
