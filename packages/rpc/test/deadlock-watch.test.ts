import { expect, test } from 'vitest'
import { RpcNode, settle, type Remote, type RpcTable } from '../src/index.ts'
import { FakeLink, SimCluster, unhex } from './support.ts'
import { SteppedClock } from '@rts/testing'

class Actor {
  static readonly rpc = { act: 'server' } as const satisfies RpcTable<Actor>
  act(name: string): Promise<unknown> {
    return this.scripts[name]!()
  }
  readonly scripts: Record<string, () => Promise<unknown>> = {
    free: async () => 'free',
  }
}

async function circle(names: readonly string[]) {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const nodes = names.map((name) => cluster.node(name, { locate: ({ id }) => `sim://${id}:1` }))
  const actors = names.map(() => new Actor())
  const remote = (at: number, of: number): Remote<typeof Actor> =>
    nodes[at]!.entity<typeof Actor>({ id: names[of]! })
  const pause = (ms: number) =>
    new Promise<void>((resolve) => cluster.clock.setTimer(ms, () => resolve()))
  for (const [i, node] of nodes.entries()) {
    node.serve(names[i]!, actors[i]!)
    await node.listen(`sim://${names[i]}:1`)
    // Each has begun before it calls the next one, which is then busy.
    actors[i]!.scripts['go'] = async () => {
      await pause(50)
      return remote(i, (i + 1) % names.length).act('free')
    }
  }
  const outside = cluster.node('outside', { locate: ({ id }) => `sim://${id}:1` })
  const go = (): Promise<(string | undefined)[]> =>
    Promise.all(
      names.map(async (id) => {
        const [error, value] = await settle(outside.entity<typeof Actor>({ id }).act('go'))
        return error?.code ?? (value as string)
      }),
    )
  const deadlocks = (): number => nodes.reduce((sum, node) => sum + node.stats().deadlocks, 0)
  return { cluster, nodes, actors, remote, pause, outside, go, deadlocks }
}

test.each([2, 3, 7])(
  'of %i entities that wait for one another in a circle one is refused within 1 s, the others go on',
  async (count) => {
    const { cluster, go, deadlocks } = await circle(
      Array.from({ length: count }, (_, i) => `entity${i}`),
    )
    const codes = await cluster.result(go(), 1050)
    expect(codes.filter((code) => code === 'RPC_DEADLOCK')).toHaveLength(1)
    expect(codes.filter((code) => code === 'free')).toHaveLength(count - 1)
    expect(deadlocks()).toBe(1)
  },
)

test('the error names the chain, and says that the call was not executed', async () => {
  const { cluster, actors, remote, pause, go } = await circle(['ann', 'bob'])
  const errors: unknown[] = []
  for (const [i, actor] of actors.entries()) {
    actor.scripts['go'] = async () => {
      await pause(50)
      const [error] = await settle(remote(i, 1 - i).act('free'))
      if (error !== undefined) errors.push(error)
    }
  }
  await cluster.result(go(), 1000)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ code: 'RPC_DEADLOCK', executed: 'no' })
  const { chain } = (errors[0] as { data: { chain: string[] } }).data
  expect(chain[0]).toBe(chain.at(-1))
  expect(new Set(chain)).toEqual(new Set(['ann.act at ann', 'ann.act at ann', 'bob.act at bob']))
  expect((errors[0] as Error).message).toContain(chain.join(' → '))
})

test('a slow handler is no deadlock, nor is a chain that comes back, nor a fork of it', async () => {
  const { cluster, actors, remote, pause, outside, deadlocks } = await circle(['ann', 'bob', 'cyd'])
  const [ann, bob, cyd] = actors as [Actor, Actor, Actor]
  ann.scripts['slow'] = () => pause(1500)
  ann.scripts['fork'] = () => Promise.all([remote(0, 1).act('back'), remote(0, 2).act('back')])
  bob.scripts['back'] = () => remote(1, 0).act('slow')
  cyd.scripts['back'] = () => remote(2, 0).act('slow')
  const call = outside.entity<typeof Actor>({ id: 'ann' })
  const forked = call.act('fork')
  await cluster.result(forked, 3500).catch((error: { code?: string }) => {
    expect(error.code).toBe('RPC_TIMEOUT')
  })
  expect(deadlocks()).toBe(0)
})

test('a probe from anybody but a server closes the link; any bytes of one are no harm', async () => {
  const frame = unhex('10 01 00 00 00 05 00 00 00 01 00 00 00 01 00 00 00 00 00')
  for (const [trust, isTaken] of [
    ['server', true],
    ['player', false],
    ['admin', false],
  ] as const) {
    const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
    const link = new FakeLink()
    const peer = node.attach(link, { trust })
    link.onMessage(frame)
    expect([trust, peer.isOpen]).toEqual([trust, isTaken])
    for (let cut = 1; cut < frame.length; cut++) {
      const other = new FakeLink()
      new RpcNode({ id: 'n', clock: new SteppedClock() }).attach(other, { trust })
      other.onMessage(frame.subarray(0, cut))
      expect(other.closed?.code).toBe(4400)
    }
  }
})
