import { expect, test } from 'vitest'
import { CLOSE, RpcNode, type ClusterAuth, type Link, type RpcNodeOptions } from '../src/index.ts'
import {
  decodeChallenge,
  decodeHello,
  encodeChallenge,
  encodeHello,
  encodeProof,
  encodeWelcome,
  transcript,
} from '../src/handshake-frames.ts'
import { clusterKey } from '../src/node.ts'
import { PROTOCOL_VERSION } from '../src/wire.ts'
import { SimCluster } from './support.ts'

const OLD = 'the old secret of the cluster'
const NEW = 'the new secret of the cluster'
const withKey = (cluster: ClusterAuth): Partial<RpcNodeOptions> => ({
  cluster,
  trustLoopback: false,
})
const withoutKey: Partial<RpcNodeOptions> = { trustLoopback: false }

/** A peer that speaks bytes, to try what no honest node does. */
async function rawLink(cluster: SimCluster, url: string): Promise<Raw> {
  const signal = new AbortController().signal
  const link = await cluster.result(
    cluster.network.host('raw').dial(url, { trust: 'server', signal }),
  )
  return new Raw(cluster, link)
}

class Raw {
  readonly link: Link
  readonly frames: Uint8Array[] = []
  closed: { code: number; reason: string } | undefined
  readonly #cluster: SimCluster
  constructor(cluster: SimCluster, link: Link) {
    this.#cluster = cluster
    this.link = link
    link.onMessage = (message) => this.frames.push(message.slice())
    link.onClose = (code, reason) => (this.closed = { code, reason })
  }
  async exchange(frame: Uint8Array): Promise<Uint8Array | undefined> {
    this.link.send(frame)
    await this.#cluster.clock.advance(20)
    return this.frames.shift()
  }
}

const hello = (changes: Partial<Parameters<typeof encodeHello>[0]> = {}): Uint8Array =>
  encodeHello({
    id: 'raw',
    role: 'game',
    epoch: 'e',
    minVersion: PROTOCOL_VERSION,
    maxVersion: PROTOCOL_VERSION,
    claimsServer: true,
    claimsAdmin: false,
    canProve: true,
    maxMessageBytes: 1024,
    nonce: new Uint8Array(32).fill(1),
    ...changes,
  })

test('two nodes with the same key are servers to one another', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', { ...withKey(clusterKey(NEW)), role: 'game' })
  const b = cluster.node('b', { ...withKey(clusterKey(NEW)), role: 'gate' })
  const { atA, atB } = await cluster.pair(a, b)
  expect([atA.caller, atA.nodeId, atA.role]).toEqual(['server', 'b', 'gate'])
  expect([atB.caller, atB.nodeId, atB.role]).toEqual(['server', 'a', 'game'])
})

test('the old key is accepted while a new one is introduced', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', withKey(clusterKey([NEW, OLD])))
  const b = cluster.node('b', withKey(clusterKey([OLD, NEW])))
  const { atA, atB } = await cluster.pair(a, b)
  expect([atA.caller, atB.caller]).toEqual(['server', 'server'])
})

test('a peer that claims to be a server with another key is refused with a code and counted', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', withKey(clusterKey(NEW)))
  const b = cluster.node('b', withKey(clusterKey(OLD)))
  await a.listen('sim://a:1')
  const error = await cluster.failure(b.connect('sim://a:1'))
  expect([error.code, error.executed]).toEqual(['RPC_UNAUTHORIZED', 'no'])
  expect([a.stats().unauthorized, b.stats().unauthorized]).toEqual([1, 1])
  expect([a.stats().peers, b.stats().peers]).toEqual([0, 0])
})

test('without any key a peer is a player at most, and the other end is no server to it either', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', withKey(clusterKey(NEW)))
  const b = cluster.node('b', withoutKey)
  const { atA, atB } = await cluster.pair(a, b)
  expect([atA.caller, atB.caller]).toEqual(['player', 'player'])
})

test('a claim without a key is refused, unless loopback is trusted by name', async () => {
  const cluster = new SimCluster()
  const strict = cluster.node('strict', withKey(clusterKey(NEW)))
  const trusting = cluster.node('trusting', { trustLoopback: true })
  const claimant = cluster.node('claimant', { trustLoopback: true })
  await strict.listen('sim://strict:1')
  const error = await cluster.failure(claimant.connect('sim://strict:1'))
  expect(error.code).toBe('RPC_UNAUTHORIZED')
  expect(strict.stats().unauthorized).toBe(1)
  const { atA, atB } = await cluster.pair(trusting, claimant)
  expect([atA.caller, atB.caller]).toEqual(['server', 'server'])
})

test('a node with a key does not believe a listener that proves nothing', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', { trustLoopback: true })
  const b = cluster.node('b', withKey(clusterKey(NEW)))
  await a.listen('sim://a:1')
  expect((await cluster.failure(b.connect('sim://a:1'))).code).toBe('RPC_UNAUTHORIZED')
})

test('a listener for players refuses whoever claims more, key or not', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', withKey(clusterKey(NEW)))
  const b = cluster.node('b', withKey(clusterKey(NEW)))
  await a.listen('sim://a:1', { trust: 'player' })
  expect((await cluster.failure(b.connect('sim://a:1'))).code).toBe('RPC_UNAUTHORIZED')
})

test('a made-up proof, and the listener’s own proof played back, are refused', async () => {
  const cluster = new SimCluster()
  const key = clusterKey(NEW)
  const a = cluster.node('a', withKey(key))
  await a.listen('sim://a:1')
  const frame = hello()

  const guess = await rawLink(cluster, 'sim://a:1')
  expect(decodeChallenge((await guess.exchange(frame))!)?.id).toBe('a')
  await guess.exchange(encodeProof(new Uint8Array(32)))
  expect(guess.closed?.code).toBe(CLOSE.unauthorized)

  const reflect = await rawLink(cluster, 'sim://a:1')
  const challenge = (await reflect.exchange(frame))!
  // What the listener itself would prove over this very exchange.
  await reflect.exchange(encodeProof(key.prove(transcript('listener', frame, challenge))))
  expect(reflect.closed?.code).toBe(CLOSE.unauthorized)
  expect(a.stats().unauthorized).toBe(2)
})

test('a proof is good for one exchange only', async () => {
  const cluster = new SimCluster()
  const key = clusterKey(NEW)
  const a = cluster.node('a', withKey(key))
  await a.listen('sim://a:1')
  const first = await rawLink(cluster, 'sim://a:1')
  const frame = hello()
  const challenge = (await first.exchange(frame))!
  const proof = encodeProof(key.prove(transcript('dialer', frame, challenge)))
  expect((await first.exchange(proof))?.[0]).toBe(4)

  const replay = await rawLink(cluster, 'sim://a:1')
  await replay.exchange(frame)
  await replay.exchange(proof)
  expect(replay.closed?.code).toBe(CLOSE.unauthorized)

  // The same proof under another name.
  const renamed = await rawLink(cluster, 'sim://a:1')
  const other = hello({ id: 'somebody' })
  const its = (await renamed.exchange(other))!
  await renamed.exchange(encodeProof(key.prove(transcript('dialer', frame, its))))
  expect(renamed.closed?.code).toBe(CLOSE.unauthorized)
})

test('a challenge sent back to a node as its own dial’s challenge proves nothing', async () => {
  // The attacker dials A and, when B dials the attacker, lets B answer what A asked.
  const cluster = new SimCluster()
  const a = cluster.node('a', withKey(clusterKey(NEW)))
  const b = cluster.node('b', withKey(clusterKey(NEW)))
  await a.listen('sim://a:1')
  const toA = await rawLink(cluster, 'sim://a:1')
  const asked = (await toA.exchange(hello()))!
  let answer: Uint8Array | undefined
  await cluster.network.host('raw').listen('sim://raw:1', { trust: 'server' }, (link) => {
    link.onMessage = (message) => {
      if (decodeHello(message) === undefined) answer = message.slice()
      else link.send(asked)
    }
  })
  b.connect('sim://raw:1').catch(() => {})
  await cluster.clock.advance(20)
  expect(answer?.[0]).toBe(3)
  await toA.exchange(answer!)
  expect(toA.closed?.code).toBe(CLOSE.unauthorized)
})

test('another protocol version is refused by name at both ends', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', withoutKey)
  await a.listen('sim://a:1')
  const raw = await rawLink(cluster, 'sim://a:1')
  await raw.exchange(hello({ minVersion: 100, maxVersion: 109, claimsServer: false }))
  expect(raw.closed).toEqual({ code: CLOSE.version, reason: expect.stringContaining('100 to 109') })
})

test('garbage, silence and large messages before the handshake close the link', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', { ...withKey(clusterKey(NEW)), connectTimeoutMs: 5000 })
  await a.listen('sim://a:1')
  const garbage = await rawLink(cluster, 'sim://a:1')
  await garbage.exchange(new TextEncoder().encode('GET / HTTP/1.1'))
  expect(garbage.closed?.code).toBe(CLOSE.protocol)
  const large = await rawLink(cluster, 'sim://a:1')
  await large.exchange(new Uint8Array(5000))
  expect(large.closed?.code).toBe(CLOSE.tooLarge)
  const silent = await rawLink(cluster, 'sim://a:1')
  await cluster.clock.advance(5100)
  expect(silent.closed?.code).toBe(CLOSE.handshakeTimeout)
})

test('a node that dials somebody who never answers gives up in time', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b', { connectTimeoutMs: 800 })
  await cluster.network.host('raw').listen('sim://raw:1', { trust: 'server' }, () => {})
  const startedAt = cluster.clock.now()
  const error = await cluster.failure(b.connect('sim://raw:1'))
  expect([error.code, error.executed]).toEqual(['RPC_CONNECT_FAILED', 'no'])
  expect(cluster.clock.now() - startedAt).toBe(800)
})

test('clusterKey refuses no secret and secrets that are too short', () => {
  expect(() => clusterKey([])).toThrow(RangeError)
  expect(() => clusterKey('short')).toThrow(/5 bytes/)
  expect(() => new RpcNode({ id: '' })).toThrow(RangeError)
})

test('a listener that answers a challenge’s proof with a wrong one is refused by the dialer', async () => {
  const cluster = new SimCluster()
  const b = cluster.node('b', withKey(clusterKey(NEW)))
  await cluster.network.host('raw').listen('sim://raw:1', { trust: 'server' }, (link) => {
    const identity = { id: 'raw', role: '', epoch: '', version: PROTOCOL_VERSION }
    const nonce = new Uint8Array(32)
    link.onMessage = (message) => {
      if (decodeHello(message) !== undefined) link.send(encodeChallenge({ ...identity, nonce }))
      else {
        const proof = new Uint8Array(32)
        link.send(encodeWelcome({ ...identity, granted: 'server', maxMessageBytes: 1000, proof }))
      }
    }
  })
  const error = await cluster.failure(b.connect('sim://raw:1'))
  expect([error.code, b.stats().unauthorized]).toEqual(['RPC_UNAUTHORIZED', 1])
})

test('limits follow what was earned: what a listener was given counts for those it is meant for', async () => {
  const cases = [
    [{ trust: 'server' }, 'player', 16 * 1024],
    [{ trust: 'server', maxMessageBytes: 100_000 }, 'player', 16 * 1024],
    [{ trust: 'server', maxMessageBytes: 100_000 }, 'server', 100_000],
    [{ trust: 'player', maxMessageBytes: 100_000 }, 'player', 100_000],
    [{ trust: 'server' }, 'server', 16 * 1024 * 1024],
  ] as const
  for (const [options, kind, limit] of cases) {
    const cluster = new SimCluster()
    const playerLimits = { maxBinaryBytes: 1_000_000 }
    const a = cluster.node('a', { ...withKey(clusterKey(NEW)), playerLimits })
    const b = cluster.node('b', kind === 'server' ? withKey(clusterKey(NEW)) : withoutKey)
    a.expose('x', { size: (bytes: Uint8Array) => bytes.length }, { size: ['player', 'server'] })
    await a.listen('sim://a:1', options)
    const remote = b.at('sim://a:1', 'x') as unknown as { size(x: Uint8Array): Promise<number> }
    const fits = limit - 100
    expect([kind, await cluster.result(remote.size(new Uint8Array(fits)))]).toEqual([kind, fits])
    const error = await cluster.failure(remote.size(new Uint8Array(limit)))
    expect([error.code, error.executed]).toEqual(['RPC_TOO_LARGE', 'no'])
  }
})

const ADMIN = 'the secret of those who run the cluster'
const desk = {
  read: () => 'read',
  act: () => 'acted',
}
type Desk = Record<'read' | 'act', () => Promise<string>>

/** A server that knows an admin key, with a desk whose `act` is for admins. */
async function administered(cluster: SimCluster, url = 'sim://a:1', trust?: 'player') {
  const a = cluster.node('a', { ...withKey(clusterKey(NEW)), admin: clusterKey(ADMIN) })
  a.expose('desk', desk, { read: ['server', 'player', 'admin'], act: 'admin' })
  await a.listen(url, trust === undefined ? {} : { trust })
  return a
}

test('who proves the admin key is an admin: he may call what is open to admins, and is called by nobody', async () => {
  const cluster = new SimCluster()
  const a = await administered(cluster)
  const tool = cluster.node('tool', { trustLoopback: false, admin: clusterKey(ADMIN) })
  const peer = await cluster.result(tool.connect('sim://a:1'))
  expect([...a.peers].map(({ caller, nodeId }) => [caller, nodeId])).toEqual([['admin', 'tool']])
  expect(peer.caller).toBe('player')
  const remote = peer.service('desk') as unknown as Desk
  expect(await cluster.result(remote.act())).toBe('acted')
})

test('a player, and even a server, is refused what is open to admins alone', async () => {
  const cluster = new SimCluster()
  await administered(cluster)
  for (const [id, options] of [
    ['player', withoutKey],
    ['server', withKey(clusterKey(NEW))],
  ] as const) {
    const peer = await cluster.result(cluster.node(id, options).connect('sim://a:1'))
    const remote = peer.service('desk') as unknown as Desk
    expect(await cluster.result(remote.read())).toBe('read')
    const error = await cluster.failure(remote.act())
    expect([error.code, error.executed]).toEqual(['RPC_FORBIDDEN', 'no'])
  }
})

test('who claims to be an admin with another key, the cluster key or none is refused with a code and counted', async () => {
  const cluster = new SimCluster()
  const a = await administered(cluster)
  for (const secret of [OLD, NEW]) {
    const tool = cluster.node(`tool-${secret}`, { admin: clusterKey(secret) })
    expect((await cluster.failure(tool.connect('sim://a:1'))).code).toBe('RPC_UNAUTHORIZED')
  }
  const claim = { claimsServer: false, claimsAdmin: true }
  const keyless = await rawLink(cluster, 'sim://a:1')
  await keyless.exchange(hello({ ...claim, canProve: false }))
  expect(keyless.closed?.code).toBe(CLOSE.unauthorized)
  const guess = await rawLink(cluster, 'sim://a:1')
  await guess.exchange(hello(claim))
  await guess.exchange(encodeProof(new Uint8Array(32)))
  expect(guess.closed?.code).toBe(CLOSE.unauthorized)
  // Two who showed a wrong key, one who showed none, one who made up a proof.
  expect([a.stats().unauthorized, a.stats().peers]).toEqual([4, 0])
})

test('a proof of the admin key makes no server', async () => {
  const cluster = new SimCluster()
  await administered(cluster)
  const raw = await rawLink(cluster, 'sim://a:1')
  const frame = hello({ claimsServer: true, claimsAdmin: true })
  const challenge = (await raw.exchange(frame))!
  await raw.exchange(encodeProof(clusterKey(ADMIN).prove(transcript('dialer', frame, challenge))))
  expect(raw.closed?.code).toBe(CLOSE.unauthorized)
})

test('there are no admins at a listener for players, at a node without an admin key, nor by loopback alone', async () => {
  const cluster = new SimCluster()
  await administered(cluster, 'sim://a:1', 'player')
  const b = cluster.node('b', { trustLoopback: true })
  await b.listen('sim://b:1')
  const tool = cluster.node('tool', { trustLoopback: true, admin: clusterKey(ADMIN) })
  for (const url of ['sim://a:1', 'sim://b:1'])
    expect((await cluster.failure(tool.connect(url))).code).toBe('RPC_UNAUTHORIZED')
})

test('an admin does not believe a listener that grants without proving the key', async () => {
  const cluster = new SimCluster()
  await cluster.network.host('raw').listen('sim://raw:1', { trust: 'server' }, (link) => {
    const identity = { id: 'raw', role: '', epoch: '', version: PROTOCOL_VERSION }
    const maxMessageBytes = 1000
    link.onMessage = () =>
      void link.send(
        encodeWelcome({
          ...identity,
          granted: 'admin',
          maxMessageBytes,
          proof: new Uint8Array(32),
        }),
      )
  })
  const tool = cluster.node('tool', { admin: clusterKey(ADMIN) })
  expect((await cluster.failure(tool.connect('sim://raw:1'))).code).toBe('RPC_UNAUTHORIZED')
})
