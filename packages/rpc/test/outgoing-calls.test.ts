import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { CLOSE, notify, RpcError, RpcNode, settle, withCall, type RpcTable } from '../src/index.ts'
import { FakeLink, SimCluster, unhex } from './support.ts'

interface Sample {
  readonly text: string
  readonly list: readonly (number | null)[]
  readonly when: Date
  readonly big: bigint
}

class Echo {
  static readonly rpc = {
    echo: 'server',
    later: 'server',
    never: 'server',
    fails: 'server',
    count: 'server',
  } as const satisfies RpcTable<Echo>
  ran = 0
  clock: SteppedClock | undefined
  echo(value: Sample | number | string): Sample | number | string {
    this.ran += 1
    return value
  }
  async later(ms: number): Promise<number> {
    this.ran += 1
    await new Promise<void>((resolve) => this.clock?.setTimer(ms, resolve))
    return ms
  }
  never(): Promise<void> {
    return new Promise(() => {})
  }
  fails(code?: string): void {
    throw Object.assign(new Error('it went wrong'), code === undefined ? {} : { code, data: [1] })
  }
  count(): void {
    this.ran += 1
  }
}

async function setUp(seed = 1): Promise<{
  cluster: SimCluster
  server: RpcNode
  client: RpcNode
  service: Echo
  echo: ReturnType<typeof echoOf>
}> {
  const cluster = new SimCluster(seed, { delayMs: 5 })
  const server = cluster.node('server')
  const client = cluster.node('client')
  const service = new Echo()
  service.clock = cluster.clock
  server.expose('echo', service)
  await cluster.pair(server, client)
  return { cluster, server, client, service, echo: echoOf(client) }
}
const echoOf = (client: RpcNode) => client.at<typeof Echo>('sim://server:1', 'echo')

/** An attached peer whose other end is the test. */
function alone(options: { maxSendBytes?: number; maxPendingPerPeer?: number } = {}) {
  const clock = new SteppedClock()
  const { maxSendBytes, ...rest } = options
  const node = new RpcNode({ id: 'n', clock, ...rest })
  const link = new FakeLink()
  const peer = node.attach(link, {
    trust: 'server',
    ...(maxSendBytes === undefined ? {} : { maxSendBytes }),
  })
  return { clock, node, link, peer, echo: peer.service<typeof Echo>('echo') }
}

test('results, undefined included, and errors with code, message and data come back', async () => {
  const { cluster, echo } = await setUp()
  const value = { text: 'é', list: [1, 2.5, null], when: new Date(0), big: 2n ** 60n }
  expect(await cluster.result(echo.echo(value))).toEqual(value)
  expect(await cluster.result(echo.count())).toBeUndefined()
  const error = await cluster.failure(echo.fails('BAG_FULL'))
  expect(error).toBeInstanceOf(RpcError)
  expect([error.code, error.message, error.executed, error.data]).toEqual([
    'BAG_FULL',
    'it went wrong',
    'yes',
    [1],
  ])
  expect((await cluster.failure(echo.fails())).code).toBe('RPC_INTERNAL')
})

test('a call without an answer ends at its deadline: 3 s, or what withCall says', async () => {
  const { cluster, echo, client } = await setUp()
  for (const [remote, timeoutMs] of [
    [echo, 3000],
    [withCall(echo, { timeoutMs: 200 }), 200],
  ] as const) {
    const startedAt = cluster.clock.now()
    const error = await cluster.failure(remote.never())
    expect([error.code, error.executed]).toEqual(['RPC_TIMEOUT', 'maybe'])
    const took = cluster.clock.now() - startedAt
    expect(took).toBeGreaterThanOrEqual(timeoutMs)
    expect(took).toBeLessThan(timeoutMs + 20)
  }
  expect(client.stats()).toMatchObject({ timeouts: 2, pendingCalls: 0 })
})

test('an answer after the deadline is dropped and counted', async () => {
  const { cluster, echo, client } = await setUp()
  await cluster.failure(withCall(echo, { timeoutMs: 50 }).later(200))
  expect(client.stats().lateReplies).toBe(0)
  await cluster.clock.advance(500)
  expect(client.stats().lateReplies).toBe(1)
})

test('a reset fails what is pending at once, and says that it may have run', async () => {
  const { cluster, echo, client } = await setUp()
  const calls = Promise.all(
    [echo.never(), echo.never(), echo.later(10_000)].map((call) => settle<unknown>(call)),
  )
  await cluster.clock.advance(20)
  cluster.network.cut('server', 'client')
  const startedAt = cluster.clock.now()
  for (const [error] of await cluster.result(calls)) {
    expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  }
  expect(cluster.clock.now() - startedAt).toBeLessThan(50)
  expect(client.stats()).toMatchObject({ lost: 3, pendingCalls: 0 })
})

test('a call on a closed peer fails at once and was surely not sent', async () => {
  const { peer, echo, link } = alone()
  peer.close(4000, 'enough')
  const [error] = await settle(echo.count())
  expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'no' })
  expect(notify(echo).count()).toBe(false)
  expect(link.sent).toEqual([])
})

test('an abort ends the call with its reason, before and after it was sent', async () => {
  const { cluster, echo } = await setUp()
  const early = AbortSignal.abort(new Error('too late'))
  expect(await cluster.failure(withCall(echo, { signal: early }).count())).toBe(early.reason)
  const controller = new AbortController()
  const call = withCall(echo, { signal: controller.signal }).never()
  await cluster.clock.advance(10)
  const reason = new Error('changed my mind')
  controller.abort(reason)
  expect(await cluster.failure(call)).toBe(reason)
})

test('a signal is let go when its call has ended', async () => {
  const { cluster, echo } = await setUp()
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1
    remove(...args)
  }
  await cluster.result(withCall(echo, { signal }).echo(1))
  await cluster.failure(withCall(echo, { signal, timeoutMs: 10 }).never())
  expect(listeners).toBe(0)
})

test('arguments that cannot be sent fail the call before anything leaves', async () => {
  const { link, echo } = alone()
  const [error] = await settle(echo.echo((() => {}) as never))
  expect(error).toMatchObject({ code: 'RPC_BAD_ARGUMENTS', executed: 'no' })
  expect(() => notify(echo).echo((() => {}) as never)).toThrow(
    expect.objectContaining({ code: 'RPC_BAD_ARGUMENTS' }) as Error,
  )
  // The route was announced; no call was.
  expect(link.sent.every((frame) => frame[0] === 5)).toBe(true)
})

test('arguments larger than the other end takes fail here', async () => {
  const { echo } = alone({ maxSendBytes: 100 })
  const [error] = await settle(echo.echo('x'.repeat(200)))
  expect(error).toMatchObject({ code: 'RPC_TOO_LARGE', executed: 'no' })
})

test('calls are refused while the other end does not keep up, and go on after a drain', async () => {
  const { link, echo, node } = alone()
  link.isFull = true
  link.bufferedBytes = 1_000_000
  void settle(echo.count())
  const [error] = await settle(echo.count())
  expect(error).toMatchObject({ code: 'RPC_OVERLOADED', executed: 'no' })
  expect(notify(echo).count()).toBe(false)
  expect(node.stats().droppedNotifies).toBe(1)
  link.isFull = false
  link.onDrain()
  expect(notify(echo).count()).toBe(true)
})

test('the number of pending calls has a bound', async () => {
  const { echo } = alone({ maxPendingPerPeer: 2 })
  void settle(echo.count())
  void settle(echo.count())
  const [error] = await settle(echo.count())
  expect(error).toMatchObject({ code: 'RPC_OVERLOADED', executed: 'no' })
})

test('an answer that cannot be read fails its own call and no other', async () => {
  const { link, echo } = alone()
  const first = settle(echo.count())
  const second = settle(echo.count())
  link.onMessage(unhex('08 01 00 00 00 c1 c1'))
  link.onMessage(unhex('28 02 00 00 00'))
  expect((await first)[0]).toMatchObject({ code: 'RPC_BAD_REPLY', executed: 'yes' })
  expect(await second).toEqual([undefined, undefined])
})

test('a second answer to a call changes nothing', async () => {
  const { link, echo, node } = alone()
  const call = echo.echo(1)
  link.onMessage(unhex('08 01 00 00 00 05'))
  link.onMessage(unhex('08 01 00 00 00 06'))
  link.onMessage(unhex('09 01 00 00 00 02 01 41 01 62'))
  expect(await call).toBe(5)
  expect(node.stats().lateReplies).toBe(2)
})

test('after a thousand routes the next ones are spelled out, and still arrive', async () => {
  const cluster = new SimCluster()
  const server = cluster.node('server')
  const client = cluster.node('client')
  const { atB } = await cluster.pair(server, client)
  const remotes = Array.from({ length: 1100 }, (_, i) => {
    server.expose(`s${i}`, { at: () => i }, { at: 'server' })
    return atB.service(`s${i}`) as unknown as { at(): Promise<number> }
  })
  const results = await cluster.result(Promise.all(remotes.map((remote) => remote.at())))
  expect(results).toEqual(remotes.map((_, i) => i))
})

test('each link has route numbers of its own: a new one begins anew, in both directions', () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock(), trustLoopback: true })
  node.expose('s', { ask: () => 7 }, { ask: 'server' })
  for (let link = 0; link < 2; link++) {
    const fake = new FakeLink()
    const peer = node.attach(fake, { trust: 'server' })
    const remote = peer.service('s') as unknown as Record<string, () => Promise<unknown>>
    void settle(remote['one']!())
    void settle(remote['two']!())
    void settle(remote['one']!())
    expect(fake.takeHex().map((frame) => frame.slice(0, 5))).toEqual([
      '05 00',
      '06 01',
      '05 01',
      '06 02',
      '06 03',
    ])
    // Before it is announced here a number means nothing, whatever it meant on another link.
    const early = new FakeLink()
    node.attach(early, { trust: 'server' })
    early.onMessage(unhex('06 01 00 00 00 00 00 90'))
    expect(early.closed?.code).toBe(CLOSE.protocol)
    fake.onMessage(unhex('05 00 01 73 03 61 73 6b'))
    fake.onMessage(unhex('06 09 00 00 00 00 00 90'))
    expect(fake.takeHex()).toEqual(['08 09 00 00 00 07'])
  }
})

test('a nonsense timeout is a RangeError', async () => {
  const { echo } = alone()
  for (const timeoutMs of [0, -1, Number.NaN, Infinity, 2 ** 31]) {
    const [error] = await settle(withCall(echo, { timeoutMs }).count())
    expect(error).toBeInstanceOf(RangeError)
  }
})

test('every call ends exactly once under cuts, stalls and partitions; what ran matches what is said', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { cluster, echo, service, client, server } = await setUp(seed)
    const { random, network, clock } = cluster
    let settled = 0
    let succeeded = 0
    let notRun = 0
    const calls: Promise<void>[] = []
    for (let i = 0; i < 250; i++) {
      const timeoutMs = 20 + random.int(3000)
      const remote = withCall(echo, { timeoutMs })
      const expected = random.chance(0.5) ? undefined : random.int(1000)
      const call: Promise<unknown> = expected === undefined ? remote.count() : remote.echo(expected)
      const ended = settle(call).then(([error, value]) => {
        settled += 1
        if (error === undefined) {
          succeeded += 1
          expect(value).toBe(expected)
        } else if ((error as RpcError).executed === 'no') notRun += 1
      })
      calls.push(ended)
      const dice = random.int(40)
      if (dice === 0) network.cut('server', 'client')
      if (dice === 1) network.stall('server', 'client', true)
      if (dice === 2) network.partition('server', 'client', true, { oneWay: random.chance(0.5) })
      if (dice >= 30) {
        network.stall('server', 'client', false)
        network.partition('server', 'client', false)
      }
      await clock.advance(random.int(120))
    }
    network.stall('server', 'client', false)
    network.partition('server', 'client', false)
    await cluster.result(Promise.all(calls))
    await clock.advance(10_000)
    expect(settled).toBe(250)
    expect(succeeded).toBeGreaterThan(50)
    expect(service.ran).toBeGreaterThanOrEqual(succeeded)
    expect(service.ran).toBeLessThanOrEqual(250 - notRun)
    for (const node of [client, server]) {
      expect(node.stats()).toMatchObject({ pendingCalls: 0, runningCalls: 0, protocolErrors: 0 })
    }
  }
})
