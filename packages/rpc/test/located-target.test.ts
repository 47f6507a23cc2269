import { expect, test } from 'vitest'
import { notify, withCall, type RpcNode, type RpcTable } from '../src/index.ts'
import { SimCluster } from './support.ts'

class Avatar {
  static readonly rpc = { where: 'server', stuck: 'server' } as const satisfies RpcTable<Avatar>
  readonly #place: string
  seen = 0
  constructor(place: string) {
    this.#place = place
  }
  where(): string {
    this.seen += 1
    return this.#place
  }
  stuck(): Promise<void> {
    return new Promise(() => {})
  }
}

async function setUp(
  locate?: (id: string, wrong?: string) => string | Promise<string> | undefined,
) {
  const cluster = new SimCluster()
  const [a, b] = ['a', 'b'].map((id) => cluster.node(id)) as [RpcNode, RpcNode]
  await Promise.all([a.listen('sim://a:1'), b.listen('sim://b:1')])
  const caller = cluster.node('caller', {
    ...(locate === undefined ? {} : { locate: (ref, wrong) => locate(ref.id, wrong) }),
  })
  return { cluster, a, b, caller }
}

test('an entity is found by its ref’s address when there is nobody to ask', async () => {
  const { cluster, a, caller } = await setUp()
  a.serve('av1', new Avatar('a'))
  expect(
    await cluster.result(caller.entity<typeof Avatar>({ id: 'av1', url: 'sim://a:1' }).where()),
  ).toBe('a')
  const error = await cluster.failure(caller.entity<typeof Avatar>({ id: 'av1' }).where())
  expect([error.code, error.executed]).toEqual(['RPC_UNKNOWN_ENTITY', 'no'])
})

test('locate is asked, whether it knows at once or later', async () => {
  const { cluster, a, b, caller } = await setUp((id) =>
    id === 'now' ? 'sim://a:1' : id === 'later' ? Promise.resolve('sim://b:1') : undefined,
  )
  const later = new Avatar('b')
  a.serve('now', new Avatar('a'))
  b.serve('later', later)
  expect(await cluster.result(caller.entity<typeof Avatar>({ id: 'now' }).where())).toBe('a')
  expect(await cluster.result(caller.entity<typeof Avatar>({ id: 'later' }).where())).toBe('b')
  expect(notify(caller.entity<typeof Avatar>({ id: 'later' })).where()).toBe(true)
  expect(notify(caller.entity<typeof Avatar>({ id: 'never' })).where()).toBe(false)
  await cluster.clock.advance(20)
  expect(later.seen).toBe(2)
})

test('a wrong address is asked about again, and the call follows to the right one', async () => {
  const asked: (string | undefined)[] = []
  const { cluster, b, caller } = await setUp((_, wrong) => {
    asked.push(wrong)
    return wrong === undefined ? 'sim://a:1' : 'sim://b:1'
  })
  b.serve('av1', new Avatar('b'))
  expect(await cluster.result(caller.entity<typeof Avatar>({ id: 'av1' }).where())).toBe('b')
  expect(asked).toEqual([undefined, 'sim://a:1'])
})

test('it does not follow when the call may have run, nor for refusals that are the same anywhere', async () => {
  let asked = 0
  const { cluster, a, caller } = await setUp(() => {
    asked += 1
    return 'sim://a:1'
  })
  a.serve('av1', new Avatar('a'))
  const remote = caller.entity<typeof Avatar>({ id: 'av1' })
  expect((await cluster.failure(withCall(remote, { timeoutMs: 50 }).stuck())).code).toBe(
    'RPC_TIMEOUT',
  )
  const nope = remote as unknown as { nope(): Promise<void> }
  expect((await cluster.failure(nope.nope())).code).toBe('RPC_UNKNOWN_METHOD')
  expect(asked).toBe(2)
})

test('an entity that moves and moves ends with the last answer, within the one deadline', async () => {
  let asked = 0
  const { cluster, caller } = await setUp(() => `sim://${asked++ % 2 === 0 ? 'a' : 'b'}:1`)
  const error = await cluster.failure(caller.entity<typeof Avatar>({ id: 'av1' }).where())
  expect(error.code).toBe('RPC_UNKNOWN_ENTITY')
  expect(asked).toBe(4)
})
