import { expect, test } from 'vitest'
import { currentCall, RpcNode, type RpcTable } from '../src/index.ts'
import { makeRoute } from '../src/wire.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'

class Desk {
  static readonly execution = 'serial'
  static readonly rpc = { ask: 'server', wait: 'server' } as const satisfies RpcTable<Desk>
  readonly log: string[] = []
  /** Asks its caller something, and answers when that has answered. */
  async ask(name: string): Promise<string> {
    const caller = currentCall().peer.service<typeof Caller>('caller')
    this.log.push(`${name} asks`)
    const answer = await caller.answer(name)
    this.log.push(`${name} hears`)
    return answer
  }
  wait(): Promise<never> {
    return new Promise(() => {})
  }
}
class Caller {
  static readonly rpc = { answer: 'server' } as const satisfies RpcTable<Caller>
  answer(name: string): string {
    return `${name}!`
  }
}

test('a reply is heard though hundreds of calls of the same link wait before it for the handler that awaits it', async () => {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const [server, client] = [cluster.node('server'), cluster.node('client')]
  const desk = new Desk()
  server.expose('desk', desk)
  client.expose('caller', new Caller())
  await cluster.pair(server, client)
  const remote = client.at<typeof Desk>('sim://server:1', 'desk')
  const startedAt = cluster.clock.now()
  const first = remote.ask('first')
  const rest = Array.from({ length: 200 }, (_, i) => remote.ask(String(i)))
  expect(await cluster.result(first)).toBe('first!')
  // There, back to the caller and there again, and the answer: nothing waited for the 200.
  expect(cluster.clock.now() - startedAt).toBeLessThanOrEqual(4 * 5 + 1)
  expect(desk.log.slice(0, 3)).toEqual(['first asks', 'first hears', '0 asks'])
  expect(await cluster.result(Promise.all(rest))).toHaveLength(200)
})

test('a reply is heard at the limit of unfinished calls, and with the mailbox full', async () => {
  const limits = { maxRunningPerServer: 20, maxWaitingPerObject: 10 }
  const cluster = new SimCluster(1, { delayMs: 5 })
  const [server, client] = [cluster.node('server', limits), cluster.node('client')]
  const desk = new Desk()
  server.expose('desk', desk)
  client.expose('caller', new Caller())
  await cluster.pair(server, client)
  const remote = client.at<typeof Desk>('sim://server:1', 'desk')
  const first = remote.ask('first')
  const codes = Array.from({ length: 40 }, () =>
    remote.wait().catch((error: { code: string }) => error.code),
  )
  expect(await cluster.result(first)).toBe('first!')
  const refused = (await cluster.result(Promise.all(codes))).filter(
    (code) => code === 'RPC_OVERLOADED',
  )
  expect(refused).toHaveLength(30)
})

test('answers leave in the order handlers are done, each before the next message is read', () => {
  const node = new RpcNode({ id: 'n', trustLoopback: true })
  let end: (value: number) => void = () => {}
  const slow = (): Promise<number> => new Promise((resolve) => (end = resolve))
  node.expose('s', { slow, quick: () => 2 }, { slow: 'server', quick: 'server' })
  const link = new FakeLink()
  node.attach(link, { trust: 'server' })
  const call = (id: string, method: string): void =>
    link.onMessage(unhex(`26 ${id} 00 00 00 00 ${hex(makeRoute('s', method).bytes)} 90`))
  call('01', 'slow')
  call('02', 'quick')
  expect(link.takeHex()).toEqual(['08 02 00 00 00 02'])
  call('03', 'quick')
  expect(link.takeHex()).toEqual(['08 03 00 00 00 02'])
  end(1)
  return Promise.resolve().then(() => expect(link.takeHex()).toEqual(['08 01 00 00 00 01']))
})
