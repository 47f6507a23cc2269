import { describe, expect, test } from 'vitest'
import { RpcClient } from '../src/client.ts'
import { RpcNode, settle, type RpcPeer } from '../src/index.ts'
import { memoryNetwork } from '../src/memory.ts'

// Handlers that give or throw what cannot even be looked at: their call fails, and nothing else does.

const unreadable = (): never => {
  throw new Error('not to be read')
}
const trap = (): object =>
  new Proxy(
    {},
    { get: unreadable, has: unreadable, ownKeys: unreadable, getPrototypeOf: unreadable },
  )
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

let turns = 0
const handlers: Record<string, () => unknown> = {
  thenIsUnreadable: () => ({
    get then() {
      return unreadable()
    },
  }),
  thenThrows: () => ({ then: unreadable }),
  givesTrap: trap,
  givesRevoked: revoked,
  givesTrapLater: async () => ({ inside: trap() }),
  throwsNothing: () => {
    throw undefined
  },
  throwsText: () => {
    throw 'text'
  },
  throwsBare: () => {
    throw Object.create(null)
  },
  throwsTrap: () => {
    throw trap()
  },
  rejectsTrap: () => Promise.reject(trap()),
  throwsUnreadableCode: () => {
    throw {
      get code() {
        return unreadable()
      },
    }
  },
  streamWithout: () => ({ [Symbol.asyncIterator]: unreadable }),
  async *streamThrowsBare() {
    yield 1
    throw Object.create(null)
  },
  fine: () => 'fine',
  /** Known to answer at once, until it does not. */
  fickle: () => (++turns % 100 === 0 ? handlers['thenIsUnreadable']!() : turns),
}
const STREAMS = new Set(['streamWithout', 'streamThrowsBare'])
type Loose = Record<string, () => Promise<unknown> & AsyncIterable<unknown>>
interface Desk {
  readonly remote: Loose
  close(): Promise<unknown>
}

const table = Object.fromEntries(Object.keys(handlers).map((name) => [name, 'server']))
const options = { trust: 'server' } as const

async function linked(
  make: (link: Parameters<RpcNode['attach']>[0]) => () => Promise<void>,
): Promise<Desk> {
  const transport = memoryNetwork().transport()
  const caller = new RpcNode({ id: 'caller' })
  let peer: RpcPeer | undefined
  await transport.listen('memory://x', options, (link) => (peer = caller.attach(link, options)))
  const { signal } = new AbortController()
  const stop = make(await transport.dial('memory://x', { ...options, signal }))
  const remote = peer!.service('odd') as unknown as Loose
  return { remote, close: () => Promise.all([caller.close(), stop()]) }
}

const desks: Record<string, () => Promise<Desk>> = {
  'a node over a link': () =>
    linked((link) => {
      const node = new RpcNode({ id: 'odd' })
      node.expose('odd', handlers, table as never)
      node.attach(link, options)
      return () => node.close()
    }),
  'a client': () =>
    linked((link) => {
      const client = new RpcClient()
      client.expose('odd', handlers, table as never)
      client.destination('there').attach(link)
      return () => client.close()
    }),
  'a node in process': async () => {
    const node = new RpcNode({ id: 'odd' })
    node.expose('odd', handlers, table as never)
    const remote = node.service('odd') as unknown as Loose
    return { remote, close: () => node.close() }
  },
}

describe.each(Object.entries(desks))('at %s', (where, make) => {
  test('what a handler gives or throws can be anything: its call ends, and the next one is as ever', async () => {
    const { remote, close } = await make()
    const names = Object.keys(handlers).filter((name) => name !== 'fine' && name !== 'fickle')
    for (let round = 0; round < 80; round += 1) {
      for (const name of names) {
        const all = async (): Promise<void> => {
          for await (const item of remote[name]!()) expect(item).toBe(1)
        }
        const [error] = await settle(STREAMS.has(name) ? all() : remote[name]!())
        // In process a result is passed as it is.
        if (where === 'a node in process' && name === 'givesTrapLater') continue
        expect((error as { code?: string } | undefined)?.code, name).toMatch(
          /^RPC_(INTERNAL|BAD_REPLY)$/,
        )
      }
      expect(await remote['fine']!()).toBe('fine')
    }
    turns = 0
    for (let turn = 1; turn <= 250; turn += 1) {
      const [error, value] = await settle(remote['fickle']!())
      if (turn % 100 === 0) expect(error).toMatchObject({ code: 'RPC_INTERNAL', executed: 'yes' })
      else expect(value).toBe(turn)
    }
    await close()
  })
})
