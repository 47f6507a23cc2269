import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { RpcNode, settle, type ArgumentsSchema, type RpcTable } from '../src/index.ts'
import { memoryNetwork } from '../src/memory.ts'

/** As a schema library makes one: a name of at most 5 letters, trimmed. */
const nameSchema: ArgumentsSchema = {
  '~standard': {
    validate: (value) => {
      const [name] = value as unknown[]
      if (typeof name === 'string' && name.length <= 5) return { value: [name.trim()] }
      return { issues: [{ message: 'not a short name', path: [{ key: 0 }, 'x'] }] }
    },
  },
}
class Avatar {
  static readonly rpc = {
    rename: ['player', 'server'],
    later: 'player',
    free: 'player',
  } as const satisfies RpcTable<Avatar>
  static readonly validate = {
    rename: nameSchema,
    later: { '~standard': { validate: async () => ({ value: [] }) } },
  }
  ran = 0
  rename(name: string): string {
    this.ran += 1
    return `<${name}>`
  }
  later(): void {
    this.ran += 1
  }
  free(value: unknown): unknown {
    return value
  }
}

async function called(trust: 'player' | 'server', method: keyof typeof Avatar.rpc, arg: unknown) {
  const clock = new SteppedClock()
  const transport = memoryNetwork().transport()
  const node = new RpcNode({ id: 'server', clock })
  const avatar = new Avatar()
  node.expose('avatar', avatar)
  const { signal } = new AbortController()
  const options = { trust: 'server', clock } as const
  await transport.listen('memory://s', options, (link) => void node.attach(link, { trust }))
  const dialled = transport.dial('memory://s', { ...options, signal })
  await clock.settle()
  const client = new RpcNode({ id: 'client', clock })
  const peer = client.attach(await dialled, { trust: 'server' })
  const remote = peer.service<typeof Avatar>('avatar') as unknown as Record<
    string,
    (arg: unknown) => Promise<unknown>
  >
  const outcome = settle(remote[method]!(arg))
  await clock.advance(50)
  return { avatar, node, outcome: await outcome }
}

test('arguments of a player reach the handler as the schema gives them', async () => {
  expect((await called('player', 'rename', ' kim ')).outcome).toEqual([undefined, '<kim>'])
  expect((await called('player', 'free', 7)).outcome).toEqual([undefined, 7])
})

test('arguments the schema refuses reach no handler, and the caller is told each issue', async () => {
  const { avatar, node, outcome } = await called('player', 'rename', 'too long a name')
  expect(outcome[0]).toMatchObject({
    code: 'RPC_BAD_ARGUMENTS',
    executed: 'no',
    data: { issues: [{ message: 'not a short name', path: [0, 'x'] }] },
  })
  expect(avatar.ran).toBe(0)
  expect(node.stats().refusedMalformed).toBe(1)
})

test('servers are not checked', async () => {
  const { outcome } = await called('server', 'rename', 'too long a name')
  expect(outcome).toEqual([undefined, '<too long a name>'])
})

test('an asynchronous schema lets nothing through, and what is no schema is refused at once', async () => {
  const { avatar, outcome } = await called('player', 'later', 1)
  expect(outcome[0]).toMatchObject({ code: 'RPC_BAD_ARGUMENTS', executed: 'no' })
  expect(avatar.ran).toBe(0)
  class Wrong extends Avatar {
    static override readonly validate = { rename: () => true } as never
  }
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  expect(() => node.expose('wrong', new Wrong())).toThrow(TypeError)
})
