import { connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { RpcNode, settle, type RpcTable } from '../../src/index.ts'
import { clusterKey } from '../../src/node.ts'
import { tcp, type TlsOptions } from '../../src/tcp.ts'
import { Authority } from '../certificates.ts'

class Echo {
  static readonly rpc = {
    echo: ['server', 'player'],
    secret: 'server',
  } as const satisfies RpcTable<Echo>
  echo(text: string): string {
    return text
  }
  secret(): number {
    return 42
  }
}

const authority = new Authority()
const other = new Authority('another authority')
const game = authority.issue('game', ['game.arena.internal'])
const gate = authority.issue('gate', ['gate.arena.internal'])
const SERVERS = { ca: authority.cert, servers: ['*.arena.internal'] }

const nodes: RpcNode[] = []
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
})

function nodeWith(id: string, tls: TlsOptions, cluster?: string): RpcNode {
  const node = new RpcNode({
    id,
    transports: [tcp({ tls })],
    ...(cluster !== undefined && { cluster: clusterKey(cluster) }),
  })
  nodes.push(node)
  return node
}

async function listening(
  tls: TlsOptions,
  cluster?: string,
): Promise<{ node: RpcNode; url: string }> {
  const node = nodeWith('listener', tls, cluster)
  node.expose('echo', new Echo())
  const { url } = await node.listen('tls://127.0.0.1:0')
  return { node, url }
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const [error] = await settle(promise)
  return error?.code
}

test('certificates of servers, shown by both ends, make both of them servers', async () => {
  const { node, url } = await listening({ ...game, ...SERVERS })
  const dialer = nodeWith('gate_0', { ...gate, ...SERVERS })
  expect(await dialer.at<typeof Echo>(url, 'echo').secret()).toBe(42)
  const large = 'x'.repeat(1_000_000)
  expect(await dialer.at<typeof Echo>(url, 'echo').echo(large)).toBe(large)
  expect([...dialer.peers, ...node.peers].map(({ caller }) => caller)).toEqual(['server', 'server'])
  expect(url).toMatch(/^tls:/)
})

test('who shows no certificate, or that of no server, is a player', async () => {
  const listenerCert = authority.issue('x', ['game.arena.internal', '127.0.0.1'])
  const { url } = await listening({ ...listenerCert, ...SERVERS })
  const [plain, foreign, stranger] = [
    nodeWith('none', { ca: authority.cert }),
    nodeWith('other', { ca: authority.cert, ...other.issue('gate', ['gate.arena.internal']) }),
    nodeWith('name', { ca: authority.cert, ...authority.issue('p', ['gate.arena.external']) }),
  ]
  for (const node of [plain, foreign, stranger]) {
    expect(await codeOf(node.at<typeof Echo>(url, 'echo').secret())).toBe('RPC_FORBIDDEN')
    expect(await node.at<typeof Echo>(url, 'echo').echo('hi')).toBe('hi')
  }
})

test('who claims to be a server by a certificate that is none is refused', async () => {
  const { node, url } = await listening({ ...game, ...SERVERS })
  for (const own of [
    other.issue('gate', ['gate.arena.internal']),
    authority.issue('gate', ['gate.arena.external']),
    authority.issue('gate', ['a.b.arena.internal']),
    authority.issue('gate', ['gate.arena.internal'], -1),
    authority.issue('gate', []),
  ]) {
    const dialer = nodeWith('gate_0', { ...own, ...SERVERS })
    expect(await codeOf(dialer.connect(url))).toBe('RPC_UNAUTHORIZED')
  }
  expect(node.stats()).toMatchObject({ unauthorized: 5, peers: 0 })
})

test('a listener that is not who it should be is not talked to', async () => {
  for (const own of [
    other.issue('game', ['game.arena.internal', '127.0.0.1']),
    authority.issue('game', ['game.arena.external']),
    authority.issue('game', ['127.0.0.1'], -1),
  ]) {
    const { url } = await listening({ ...own })
    const dialer = nodeWith('gate_0', { ...gate, ...SERVERS })
    expect(await codeOf(dialer.connect(url))).toBe('RPC_CONNECT_FAILED')
    await nodes.shift()!.close()
  }
})

test('a function can tell servers, and a name other than the host be asked for', async () => {
  const { url } = await listening({
    ...game,
    ca: authority.cert,
    servers: ({ subject }) => subject.CN === 'gate',
  })
  const dialer = nodeWith('gate_0', { ...gate, ...SERVERS })
  expect(await dialer.at<typeof Echo>(url, 'echo').secret()).toBe(42)
  const player = nodeWith('p', { ca: authority.cert, servername: 'game.arena.internal' })
  expect(await player.at<typeof Echo>(url, 'echo').echo('hi')).toBe('hi')
})

test('below the cluster key TLS encrypts and proves nothing', async () => {
  const own = authority.issue('x', ['127.0.0.1'])
  const { url } = await listening(own, 'a secret of the cluster')
  const right = nodeWith('a', { ca: authority.cert }, 'a secret of the cluster')
  expect(await right.at<typeof Echo>(url, 'echo').secret()).toBe(42)
  const wrong = nodeWith('b', { ca: authority.cert }, 'another secret of ours')
  expect(await codeOf(wrong.connect(url))).toBe('RPC_UNAUTHORIZED')
})

test('a listener survives who speaks no TLS, and nothing of theirs reaches it', async () => {
  const { node, url } = await listening({ ...game, ...SERVERS })
  const socket = connect(Number(new URL(url.replace('tls', 'http')).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await once(socket, 'close')
  expect(node.stats()).toMatchObject({ peers: 0, protocolErrors: 0 })
  const dialer = nodeWith('gate_0', { ...gate, ...SERVERS })
  expect(await dialer.at<typeof Echo>(url, 'echo').secret()).toBe(42)
})

test('options that cannot work are refused when they are given', async () => {
  expect(() => tcp({ tls: { cert: game.cert } })).toThrow(TypeError)
  expect(() => tcp({ tls: { servers: ['a'] } })).toThrow(TypeError)
  expect(() => tcp({ tls: { cert: 'none', key: 'none' } })).toThrow()
  const node = nodeWith('n', { ca: authority.cert })
  expect(await codeOf(node.listen('tls://127.0.0.1:0'))).toBe('RPC_LISTEN_FAILED')
})
