import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually, seededRandom, UdpFaultProxy } from '../src/index.ts'

interface End {
  readonly socket: Socket
  readonly messages: string[]
  readonly from: RemoteInfo[]
}

async function open(): Promise<End> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const end: End = { socket, messages: [], from: [] }
  socket.on('message', (message, from) => {
    end.messages.push(message.toString('latin1'))
    end.from.push(from)
  })
  return end
}

let target: End
let client: End
let proxy: UdpFaultProxy

beforeEach(async () => {
  target = await open()
  client = await open()
  proxy = await listen(5)
})
afterEach(async () => {
  await proxy.close()
  target.socket.close()
  client.socket.close()
})

const listen = (seed: number): Promise<UdpFaultProxy> =>
  UdpFaultProxy.listen({
    target: { host: '127.0.0.1', port: target.socket.address().port },
    random: seededRandom(seed),
  })

const send = (text: string, through = proxy): void => {
  client.socket.send(Buffer.from(text, 'latin1'), through.port, through.host)
}
const answer = (text: string, to: RemoteInfo | undefined): void =>
  target.socket.send(text, to!.port, to!.address)

/** Sends numbered datagrams and waits until the proxy has seen them all. */
async function sendMany(count: number, through = proxy): Promise<void> {
  const before = through.stats().toTarget.received
  for (let index = 0; index < count; index += 1) send(String(index), through)
  await eventually(() => through.stats().toTarget.received === before + count)
}

test('carries datagrams both ways and shows each client at a port of its own', async () => {
  const other = await open()
  send('one')
  await eventually(() => target.messages.length === 1)
  other.socket.send('two', proxy.port, proxy.host)
  await eventually(() => target.messages.length === 2)
  expect(target.from[0]?.port).not.toBe(target.from[1]?.port)
  answer('back to one', target.from[0])
  answer('back to two', target.from[1])
  await eventually(() => client.messages.length === 1 && other.messages.length === 1)
  expect([client.messages, other.messages]).toEqual([['back to one'], ['back to two']])
  expect(client.from[0]?.port).toBe(proxy.port)
  expect(proxy.stats()).toMatchObject({ clients: 2, toTarget: { sent: 2 }, toClient: { sent: 2 } })
  other.socket.close()
})

test('loses, doubles and reorders the same datagrams for the same seed', async () => {
  const runs: string[][] = []
  for (const seed of [7, 7, 8]) {
    await using each = await listen(seed)
    each.set({ lossProbability: 0.2, duplicateProbability: 0.2, reorderProbability: 0.2 })
    target.messages.length = 0
    await sendMany(200, each)
    const { received, lost, duplicated, reordered } = each.stats().toTarget
    await eventually(() => target.messages.length === received - lost + duplicated)
    expect(lost).toBeGreaterThan(20)
    expect(duplicated).toBeGreaterThan(15)
    expect(reordered).toBeGreaterThan(20)
    runs.push([...target.messages])
  }
  expect(runs[1]).toEqual(runs[0])
  expect(runs[2]).not.toEqual(runs[0])
  expect(runs[0]).not.toEqual([...runs[0]!].sort((a, b) => Number(a) - Number(b)))
})

test('a reordered datagram that nothing follows arrives all the same', async () => {
  proxy.reorder(1)
  send('alone')
  await eventually(() => target.messages.length === 1)
})

test('delays in one direction', async () => {
  proxy.delay(40, 0, 'toTarget')
  const start = performance.now()
  send('x')
  await eventually(() => target.messages.length === 1)
  expect(performance.now() - start).toBeGreaterThanOrEqual(39)
})

test('a cut loses everything, what was on its way included', async () => {
  // Long enough that none has arrived when the cut comes, also on a machine that is busy.
  proxy.delay(500)
  await sendMany(3)
  proxy.cut(true)
  await sendMany(3)
  await eventually(() => proxy.stats().toTarget.lost === 6)
  proxy.heal()
  send('after')
  await eventually(() => target.messages.length === 1)
  expect(target.messages).toEqual(['after'])
})

test('loses what is bigger than the MTU', async () => {
  proxy.mtu(10)
  send('this is too long')
  send('short')
  await eventually(() => target.messages.length === 1)
  expect(target.messages).toEqual(['short'])
  expect(proxy.stats().toTarget.lost).toBe(1)
})

test('flips a bit', async () => {
  proxy.corrupt(1)
  send('aaaa')
  await eventually(() => target.messages.length === 1)
  expect(target.messages[0]).toHaveLength(4)
  expect(target.messages[0]).not.toBe('aaaa')
})

test('a rebind shows the client at a new port; what is sent to the old one is lost', async () => {
  send('before')
  await eventually(() => target.messages.length === 1)
  await proxy.rebind()
  send('after')
  await eventually(() => target.messages.length === 2)
  const [old, fresh] = target.from
  expect(fresh?.port).not.toBe(old?.port)
  answer('to the old', old)
  answer('to the new', fresh)
  await eventually(() => client.messages.length === 1)
  expect(client.messages).toEqual(['to the new'])
})

test('refuses probabilities that are none', () => {
  expect(() => proxy.loss(1.5)).toThrow('lossProbability')
  expect(() => proxy.delay(Number.NaN)).toThrow('delayMs')
})

test('close may be called twice, also while clients are rebound', async () => {
  send('x')
  await eventually(() => proxy.stats().clients === 1)
  await Promise.all([proxy.rebind(), proxy.close(), proxy.close()])
})
