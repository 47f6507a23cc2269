import { transform } from 'esbuild'
import { expect, test } from 'vitest'
import { pool, rpc } from '../src/index.ts'
import { SimCluster } from './support.ts'

type Class = new () => object

/** A class as a toolchain that lowers standard decorators would write it. */
async function lowered(source: string): Promise<Class> {
  const { code } = await transform(`function make(rpc, pool) { return (${source}) }`, {
    target: 'es2022',
  })
  return (new Function(`${code}; return make`)() as (r: unknown, p: unknown) => Class)(rpc, pool)
}

test('decorated methods are open to whom they say, and only they', async () => {
  const Bag = await lowered(`class Bag {
    @rpc('player', 'server') use() { return 'used' }
    secret() { return 'secret' }
  }`)
  const Desk = await lowered(`class Base {
    @rpc('server') asked() { return 'base' }
    @rpc('server') taken() { return 'base' }
  }`)
  class Child extends Desk {
    static readonly components = { bag: Bag }
    static readonly rpc = { listed: 'server' }
    readonly bag = new Bag()
    listed(): string {
      return 'listed'
    }
    taken(): string {
      return 'not decorated'
    }
  }
  const cluster = new SimCluster()
  const server = cluster.node('server')
  server.expose('desk', new Child() as object, undefined)
  await server.listen('sim://server:1')
  const call = async (node: ReturnType<typeof cluster.node>, path: string): Promise<unknown> => {
    let remote = node.at('sim://server:1', 'desk') as unknown as Record<string, never>
    for (const name of path.split('.').slice(0, -1)) remote = remote[name] as never
    const method = remote[path.split('.').at(-1)!] as unknown as () => Promise<unknown>
    return cluster.result(method()).catch((error: { code: string }) => error.code)
  }
  const client = cluster.node('client')
  expect(await call(client, 'asked')).toBe('base')
  expect(await call(client, 'listed')).toBe('listed')
  expect(await call(client, 'bag.use')).toBe('used')
  expect(await call(client, 'taken')).toBe('RPC_UNKNOWN_METHOD')
  expect(await call(client, 'bag.secret')).toBe('RPC_UNKNOWN_METHOD')
  const player = cluster.node('player', { trustLoopback: false })
  const open = cluster.node('open', { trustLoopback: false })
  open.expose('desk', new Child() as object, undefined)
  await open.listen('sim://open:1')
  const desk = player.at('sim://open:1', 'desk') as unknown as {
    asked(): Promise<unknown>
    bag: { use(): Promise<unknown> }
  }
  expect(await cluster.result(desk.bag.use())).toBe('used')
  expect(await cluster.failure(desk.asked())).toMatchObject({ code: 'RPC_FORBIDDEN' })
})

test('a table goes before it, and above other decorators it marks what they made', async () => {
  const Both = await lowered(`class Both {
    static rpc = { a: 'admin' }
    @rpc('server') a() { return 1 }
    @rpc('server') @pool({ limit: 1 }) async b() { return 2 }
  }`)
  const cluster = new SimCluster()
  const node = cluster.node('n')
  node.expose('both', new Both() as object, undefined)
  const both = node.service('both') as unknown as Record<string, () => Promise<unknown>>
  expect(await cluster.failure(both['a']!())).toMatchObject({ code: 'RPC_FORBIDDEN' })
  expect(await cluster.result(both['b']!())).toBe(2)
})

test('it is refused on what is no public method of objects', async () => {
  for (const member of ['static s() {}', '#p() {}', '[Symbol.iterator]() {}']) {
    await expect(lowered(`class Wrong { @rpc('server') ${member} }`)).rejects.toThrow(TypeError)
  }
})
