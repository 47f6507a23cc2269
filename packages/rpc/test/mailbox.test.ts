import { expect, test } from 'vitest'
import {
  currentCall,
  notify,
  settle,
  withCall,
  type CallerKind,
  type Remote,
  type RpcNode,
  type RpcTable,
} from '../src/index.ts'
import { callStorage } from '../src/call-storage.ts'
import { Mailbox, type MailboxCall } from '../src/mailbox.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'
import { makeRoute } from '../src/wire.ts'

/** What a handler of the tests may do, set by each test. */
type Script = (self: Actor, ...args: string[]) => unknown

class Pocket {
  static readonly rpc = { act: 'server' } as const satisfies RpcTable<Pocket>
  owner: Actor | undefined
  act(name: string): unknown {
    return this.owner?.act(name)
  }
}
class Actor {
  static readonly rpc = { act: ['server', 'player'] } as const satisfies RpcTable<Actor>
  static readonly components: { readonly pocket: typeof Pocket } = { pocket: Pocket }
  readonly pocket = new Pocket()
  readonly log: string[] = []
  readonly ends = new Map<string, (value: string) => void>()
  readonly scripts: Record<string, Script> = {}

  constructor() {
    this.pocket.owner = this
  }

  /** A script of that name, or work that ends when the test calls `end`. */
  act(name: string, ...args: string[]): Promise<unknown> {
    this.log.push(`+${name}`)
    const script = this.scripts[name]
    if (script === undefined) {
      return new Promise((resolve) => this.ends.set(name, resolve)).then((value) => {
        this.log.push(`-${name}`)
        return value
      })
    }
    return script(this, ...args) as Promise<unknown>
  }

  end(name: string): void {
    this.ends.get(name)?.(`${name} done`)
  }
}
class Overlapping extends Actor {
  static readonly execution = 'reentrant'
}
class OneByOne extends Actor {
  static readonly execution = 'serial'
}

async function setUp(options: { maxWaitingPerObject?: number } = {}) {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const server = cluster.node('server', options)
  const client = cluster.node('client')
  await cluster.pair(server, client)
  const run = <T>(promise: PromiseLike<T>) => cluster.result(promise)
  const actor = new Actor()
  server.serve('kim', actor)
  const kim = client.entityAt<typeof Actor>('sim://server:1', 'kim')
  return { cluster, clock: cluster.clock, server, client, run, actor, kim }
}

test('the calls of an entity run one at a time, in the order they came, its components included', async () => {
  const { clock, run, actor, kim, server } = await setUp()
  const calls = [kim.act('a'), kim.pocket.act('b'), kim.act('c')]
  await clock.advance(20)
  expect(actor.log).toEqual(['+a'])
  expect(server.stats()).toMatchObject({ runningCalls: 3, waitingCalls: 2 })
  for (const name of ['a', 'b', 'c']) {
    actor.end(name)
    await clock.advance(20)
  }
  expect(await run(Promise.all(calls))).toEqual(['a done', 'b done', 'c done'])
  expect(actor.log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c'])
  expect(server.stats()).toMatchObject({ runningCalls: 0, waitingCalls: 0 })
})

test('one entity does not wait for another, nor for one under another name', async () => {
  const { clock, run, server, client, actor, kim } = await setUp()
  const other = new Actor()
  server.serve('lee', other)
  server.serve('kim too', actor)
  const calls = [
    kim.act('a'),
    client.entityAt<typeof Actor>('sim://server:1', 'lee').act('b'),
    client.entityAt<typeof Actor>('sim://server:1', 'kim too').act('c'),
  ]
  await clock.advance(20)
  expect([actor.log, other.log]).toEqual([['+a'], ['+b']])
  actor.end('a')
  other.end('b')
  await clock.advance(20)
  actor.end('c')
  await run(Promise.all(calls))
})

test('a handler that is not asynchronous is answered before the next message is read', async () => {
  const { server, actor } = await setUp()
  actor.scripts['now'] = () => 7
  const link = new FakeLink()
  server.attach(link, { trust: 'server' })
  link.onMessage(
    unhex(`66 09 00 00 00 00 ${hex(makeRoute('', 'act').bytes)} 03 6b 69 6d 91 a3 6e 6f 77`),
  )
  expect(link.takeHex()).toEqual(['08 09 00 00 00 07'])
})

test('classes say otherwise: an entity whose calls overlap, a service whose calls do not', async () => {
  const { clock, run, server, client } = await setUp()
  const [overlapping, oneByOne, service] = [new Overlapping(), new OneByOne(), new Actor()]
  server.serve('over', overlapping)
  server.expose('serial', oneByOne)
  server.expose('service', service)
  const url = 'sim://server:1'
  const over = client.entityAt<typeof Overlapping>(url, 'over')
  const serial = client.at<typeof OneByOne>(url, 'serial')
  const free = client.at<typeof Actor>(url, 'service')
  const calls = [over, serial, free].flatMap((remote) => [remote.act('a'), remote.act('b')])
  await clock.advance(20)
  expect(overlapping.log).toEqual(['+a', '+b'])
  expect(oneByOne.log).toEqual(['+a'])
  expect(service.log).toEqual(['+a', '+b'])
  for (const actor of [overlapping, service, oneByOne]) {
    actor.end('a')
    await clock.advance(20)
    actor.end('b')
  }
  await run(Promise.all(calls))
  class Wrong extends Actor {
    static readonly execution = 'sometimes'
  }
  expect(() => server.serve('wrong', new Wrong())).toThrow(TypeError)
})

test('a failure, thrown or rejected, lets the next call in', async () => {
  const { cluster, actor, kim } = await setUp()
  actor.scripts['throws'] = () => {
    throw Object.assign(new Error('no'), { code: 'NO' })
  }
  actor.scripts['rejects'] = async () => {
    throw Object.assign(new Error('no'), { code: 'NO' })
  }
  actor.scripts['now'] = () => 'fine'
  const calls = ['throws', 'rejects', 'throws', 'now'].map((name) => settle(kim.act(name)))
  const ends = await cluster.result(Promise.all(calls))
  expect(ends.map(([error, value]) => error?.code ?? value)).toEqual(['NO', 'NO', 'NO', 'fine'])
})

test('a mailbox is bounded: a call too many is refused and surely not run', async () => {
  const { cluster, clock, actor, kim, server } = await setUp({ maxWaitingPerObject: 2 })
  const calls = ['a', 'b', 'c'].map((name) => settle(kim.act(name)))
  await clock.advance(20)
  const error = await cluster.failure(kim.act('d'), 100)
  expect([error.code, error.executed]).toEqual(['RPC_OVERLOADED', 'no'])
  for (const name of ['a', 'b', 'c']) {
    actor.end(name)
    await clock.advance(20)
  }
  await cluster.result(Promise.all(calls))
  expect(actor.log).not.toContain('+d')
  expect(server.stats().refusedOverloaded).toBe(1)
})

test('a call whose turn does not come in time is not run, and its caller hears that', async () => {
  const { cluster, clock, actor, kim } = await setUp()
  const first = kim.act('a')
  await clock.advance(20)
  const error = await cluster.failure(withCall(kim, { timeoutMs: 500 }).act('b'))
  expect([error.code, error.executed]).toEqual(['RPC_TIMEOUT', 'no'])
  actor.end('a')
  expect(await cluster.result(first)).toBe('a done')
  expect(actor.log).toEqual(['+a', '-a'])
})

test('a call that is cancelled, or whose caller is gone, leaves the queue; notifications stay', async () => {
  const { clock, client, server, actor, kim } = await setUp()
  const controller = new AbortController()
  const calls = [
    settle(kim.act('a')),
    settle(withCall(kim, { signal: controller.signal }).act('b')),
    settle(kim.act('c')),
  ]
  expect(notify(kim).act('told')).toBe(true)
  await clock.advance(20)
  controller.abort(new Error('changed my mind'))
  await clock.advance(20)
  expect(server.stats().waitingCalls).toBe(2)
  for (const peer of client.peers) peer.close()
  await clock.advance(20)
  expect(server.stats().waitingCalls).toBe(1)
  actor.end('a')
  await clock.advance(20)
  expect(actor.log).toEqual(['+a', '-a', '+told'])
  const codes = (await Promise.all(calls)).map(([error]) => error?.code ?? error?.message)
  expect(codes).toEqual(['RPC_CLOSED', 'changed my mind', 'RPC_CLOSED'])
})

test('what went away while a call waited is not called: it is asked for again, and the hook too', async () => {
  const cluster = new SimCluster(1, { delayMs: 5 })
  let isHeld = true
  const server = cluster.node('server', {
    beforeDispatch: () => {
      if (!isHeld) throw Object.assign(new Error('not held'), { code: 'NOT_HELD' })
    },
  })
  const client = cluster.node('client')
  await cluster.pair(server, client)
  const [kim, lee] = [new Actor(), new Actor()]
  const withdraw = server.serve('kim', kim)
  server.serve('lee', lee)
  const remotes = ['kim', 'lee'].map((id) =>
    client.entityAt<typeof Actor>('sim://server:1', id),
  ) as [Remote<typeof Actor>, Remote<typeof Actor>]
  const firsts = remotes.map((remote) => remote.act('a'))
  const seconds = remotes.map((remote) => settle(remote.act('b')))
  await cluster.clock.advance(20)
  withdraw()
  isHeld = false
  for (const actor of [kim, lee]) actor.end('a')
  await cluster.result(Promise.all(firsts))
  const errors = (await cluster.result(Promise.all(seconds))).map(([error]) => error)
  expect(errors).toMatchObject([
    { code: 'RPC_UNKNOWN_ENTITY', executed: 'no' },
    { code: 'NOT_HELD', executed: 'no' },
  ])
  expect([...kim.log, ...lee.log]).not.toContain('+b')
  expect(server.stats()).toMatchObject({ runningCalls: 0, waitingCalls: 0 })
})

/** Three nodes that know where everybody is. */
function threeNodes() {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const names = ['ann', 'bob', 'cyd']
  const actors = names.map(() => new Actor())
  const nodes = names.map((name) =>
    cluster.node(name, { locate: async ({ id }) => `sim://${id}:1` }),
  )
  const [ann, bob, cyd] = actors as [Actor, Actor, Actor]
  const remote = (at: RpcNode | undefined, id: string): Remote<typeof Actor> =>
    at!.entity<typeof Actor>({ id })
  const start = async (): Promise<void> => {
    for (const [i, node] of nodes.entries()) {
      node.serve(names[i]!, actors[i]!)
      await node.listen(`sim://${names[i]}:1`)
    }
  }
  return { cluster, nodes, ann, bob, cyd, remote, start }
}

test('a chain comes back in: an entity that calls itself, also after an await, does not wait', async () => {
  const { cluster, nodes, ann, remote, start } = threeNodes()
  await start()
  ann.scripts['deep'] = async (_, left) => {
    await Promise.resolve()
    if (left === '0') return 'bottom'
    const me = remote(nodes[0], 'ann') as unknown as Loose
    return `${left} ${String(await me.act('deep', String(Number(left) - 1)))}`
  }
  const outside = remote(nodes[1], 'ann') as unknown as Loose
  expect(await cluster.result(outside.act('deep', '3'), 500)).toBe('3 2 1 bottom')
  // Deeper than a chain remembers.
  const end = cluster.result(outside.act('deep', '100'), 2900)
  expect(await end).toMatch(/bottom$/)
})
type Loose = { act(...args: string[]): Promise<unknown> }

test('A to B to A: each first call and each await, over other nodes, and through a service', async () => {
  const { cluster, nodes, ann, bob, cyd, remote, start } = threeNodes()
  await start()
  const service = new Actor()
  nodes[2]!.expose('relay', service)
  service.scripts['relay'] = async () => {
    await Promise.resolve()
    return `relay ${String(await remote(nodes[2], 'bob').act('back'))}`
  }
  ann.scripts['go'] = async () => {
    await Promise.resolve()
    return `ann ${String(await remote(nodes[0], 'bob').act('on'))}`
  }
  bob.scripts['on'] = () => nodes[1]!.at<typeof Actor>('sim://cyd:1', 'relay').act('relay')
  bob.scripts['back'] = async () => {
    await new Promise<void>((resolve) => cluster.clock.setTimer(5, resolve))
    return `back ${String(await remote(nodes[1], 'ann').act('end'))}`
  }
  ann.scripts['end'] = () => 'end'
  const go = remote(nodes[2], 'ann').act('go')
  expect(await cluster.result(go, 1000)).toBe('ann relay back end')
  expect(cyd.log).toEqual([])
})

test('one frame of a chain at a time: two calls that come back run one after the other', async () => {
  const { cluster, nodes, ann, bob, cyd, remote, start } = threeNodes()
  await start()
  ann.scripts['fork'] = () =>
    Promise.all([remote(nodes[0], 'bob').act('x'), remote(nodes[0], 'cyd').act('y')])
  bob.scripts['x'] = () => remote(nodes[1], 'ann').act('from bob')
  cyd.scripts['y'] = () => remote(nodes[2], 'ann').act('from cyd')
  const forked = remote(nodes[2], 'ann').act('fork')
  await cluster.clock.advance(100)
  expect(ann.log).toHaveLength(2)
  const [first, second] = ann.log[1] === '+from bob' ? ['bob', 'cyd'] : ['cyd', 'bob']
  // Somebody from outside waits behind all of it.
  const outside = settle(remote(nodes[1], 'ann').act('outside'))
  await cluster.clock.advance(50)
  ann.end(`from ${first}`)
  await cluster.clock.advance(50)
  expect(ann.log).toEqual(['+fork', `+from ${first}`, `-from ${first}`, `+from ${second}`])
  ann.end(`from ${second}`)
  expect(await cluster.result(forked)).toEqual(['from bob done', 'from cyd done'])
  await cluster.clock.advance(50)
  expect(ann.log.at(-1)).toBe('+outside')
  ann.end('outside')
  await cluster.result(outside)
})

test('a handler that has long answered at once is followed over its awaits when it makes a call', async () => {
  class Prompt extends Actor {}
  const { cluster, nodes, bob, cyd, remote, start } = threeNodes()
  await start()
  const prompt = new Prompt()
  nodes[0]!.serve('prompt', prompt)
  const at = (node: RpcNode | undefined): Remote<typeof Actor> =>
    node!.entityAt<typeof Actor>('sim://ann:1', 'prompt')
  prompt.scripts['quick'] = () => 'quick'
  for (let i = 0; i < 200; i++) await cluster.result(at(nodes[1]).act('quick'))
  bob.scripts['x'] = () => 'x'
  cyd.scripts['y'] = () => at(nodes[2]).act('quick')
  prompt.scripts['turn'] = () =>
    remote(nodes[0], 'bob')
      .act('x')
      .then(() => remote(nodes[0], 'cyd').act('y'))
  expect(await cluster.result(at(nodes[1]).act('turn'))).toBe('quick')
  // From then on it is known to wait.
  prompt.scripts['late'] = () => Promise.resolve().then(() => remote(nodes[0], 'cyd').act('y'))
  expect(await cluster.result(at(nodes[1]).act('late'))).toBe('quick')
})

test('a synchronous handler that makes calls leaves nothing behind for the next one', async () => {
  class Prompt extends Actor {}
  const { cluster, nodes, bob, remote, start } = threeNodes()
  await start()
  const prompt = new Prompt()
  nodes[0]!.serve('prompt', prompt)
  bob.scripts['x'] = () => 'x'
  const frames: (object | undefined)[] = []
  prompt.scripts['tell'] = () => {
    frames.push(callStorage?.getStore())
    void remote(nodes[0], 'bob').act('x')
    return 'told'
  }
  const at = nodes[1]!.entityAt<typeof Actor>('sim://ann:1', 'prompt')
  for (let i = 0; i < 100; i++) await cluster.result(at.act('tell'))
  expect(frames.slice(-20).every((frame) => frame === undefined)).toBe(true)
})

test('work a handler left behind is not its chain any more', async () => {
  const { cluster, nodes, ann, remote, start } = threeNodes()
  await start()
  let later: Promise<unknown> | undefined
  ann.scripts['leave'] = () => {
    later = new Promise<void>((resolve) => cluster.clock.setTimer(100, resolve)).then(() =>
      remote(nodes[0], 'ann').act('left behind'),
    )
    return 'left'
  }
  await cluster.result(remote(nodes[1], 'ann').act('leave'))
  const long = settle(remote(nodes[1], 'ann').act('long'))
  await cluster.clock.advance(200)
  expect(ann.log).toEqual(['+leave', '+long'])
  ann.end('long')
  await cluster.result(long)
  await cluster.clock.advance(50)
  expect(ann.log.at(-1)).toBe('+left behind')
  ann.end('left behind')
  await cluster.result(later!)
})

test.each(['player', 'admin', 'server'] as const satisfies CallerKind[])(
  'a chain that a %s writes is believed of servers alone',
  async (trust) => {
    const { server } = await setUp()
    const serial = new OneByOne()
    let chain = ''
    serial.scripts['a'] = () => {
      const { frameId } = currentCall() as unknown as { frameId: number }
      const words = new Uint32Array([frameId % 2 ** 32, Math.floor(frameId / 2 ** 32)])
      chain = hex(new Uint8Array(words.buffer))
      return new Promise(() => {})
    }
    server.expose('serial', serial, { act: ['server', 'player', 'admin'] })
    const link = new FakeLink()
    server.attach(link, { trust })
    const route = hex(makeRoute('serial', 'act').bytes)
    link.onMessage(unhex(`26 01 00 00 00 00 ${route} 91 a1 61`))
    link.onMessage(unhex(`a6 02 00 00 00 00 ${route} 0a 01 08 ${chain} 91 a1 62`))
    expect(serial.log).toEqual(trust === 'server' ? ['+a', '+b'] : ['+a'])
  },
)

test('a mailbox runs thousands of synchronous turns without growing the stack', () => {
  const mailbox = new Mailbox()
  let ran = 0
  const callOf = (frameId: number): MailboxCall => {
    const call: MailboxCall = {
      frameId,
      chain: [],
      priority: 0,
      run: () => {
        ran += 1
        mailbox.leave(call)
      },
    }
    return call
  }
  const first = callOf(0)
  expect(mailbox.enter(first, 10_000)).toBe('run')
  for (let i = 1; i <= 10_000; i++) expect(mailbox.enter(callOf(i), 10_000)).toBe('wait')
  expect(mailbox.enter(callOf(-1), 10_000)).toBe('full')
  mailbox.leave(first)
  expect([ran, mailbox.waiting]).toEqual([10_000, 0])
})
