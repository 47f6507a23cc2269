import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { eventually } from '@rts/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CLOSE, RpcNode, settle, type Link } from '../../src/index.ts'
import { tcp, type TcpOptions } from '../../src/tcp.ts'

const { signal } = new AbortController()

async function listening(
  options: { maxMessageBytes?: number; trust?: 'server' | 'player' } = {},
): Promise<{ port: number; links: Link[]; closes: number[]; messages: Uint8Array[] }> {
  const transport = tcp()
  onTestFinished(() => transport.abort())
  const links: Link[] = []
  const closes: number[] = []
  const messages: Uint8Array[] = []
  const listener = await transport.listen(
    'tcp://127.0.0.1:0',
    { trust: 'server', ...options },
    (link) => {
      links.push(link)
      link.onMessage = (message) => messages.push(message.slice())
      link.onClose = (code) => closes.push(code)
    },
  )
  return { port: Number(new URL(listener.url).port), links, closes, messages }
}

function raw(port: number): { socket: Socket; received: () => Buffer; isOver: () => boolean } {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => void socket.destroy())
  const chunks: Buffer[] = []
  let over = false
  socket.on('data', (chunk) => chunks.push(chunk as Buffer))
  socket.on('error', () => {})
  socket.on('close', () => (over = true))
  return { socket, received: () => Buffer.concat(chunks), isOver: () => over }
}

/** A dialled link whose socket writes are listed by their lengths. */
async function writing(
  options: TcpOptions = {},
): Promise<{ transport: ReturnType<typeof tcp>; link: Link; writes: () => number[] }> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const transport = tcp(options)
  onTestFinished(() => transport.abort())
  const link = await transport.dial(`tcp://127.0.0.1:${port}`, { trust: 'server', signal })
  const write = vi.spyOn(Socket.prototype, 'write')
  onTestFinished(() => write.mockRestore())
  const writes = (): number[] => write.mock.calls.map(([bytes]) => (bytes as Uint8Array).length)
  return { transport, link, writes }
}

test('all messages of one turn leave as one socket write', async () => {
  const { link, writes } = await writing()
  for (let i = 0; i < 100; i++) link.send(new Uint8Array(50))
  expect(writes()).toEqual([])
  await eventually(() => link.bufferedBytes === 0)
  expect(writes()).toEqual([100 * 54])
})

test('a turn that fills a slab writes it at once, and the rest at its end', async () => {
  const { link, writes } = await writing()
  for (let i = 0; i < 500; i++) link.send(new Uint8Array(50))
  expect(writes()).toEqual([151 * 54, 151 * 54, 151 * 54])
  await eventually(() => link.bufferedBytes === 0)
  expect(writes()).toEqual([151 * 54, 151 * 54, 151 * 54, 47 * 54])
})

test('told to flush at once, each message is a write', async () => {
  const { link, writes } = await writing({ flush: 'immediate' })
  for (let i = 0; i < 3; i++) link.send(new Uint8Array(50))
  expect(writes()).toEqual([54, 54, 54])
})

test('told to wait, messages leave when the transport is flushed', async () => {
  const { transport, link, writes } = await writing({ flush: 'manual' })
  for (let i = 0; i < 3; i++) link.send(new Uint8Array(50))
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve))
  expect([writes(), link.bufferedBytes]).toEqual([[], 3 * 54])
  transport.flush()
  expect(writes()).toEqual([3 * 54])
  link.send(new Uint8Array(50))
  link.close()
  expect(writes()).toHaveLength(2)
})

test('what is no flush mode is refused', () => {
  expect(() => tcp({ flush: 'often' as 'tick' })).toThrow(RangeError)
})

test('a 100 MB length is refused from its four bytes, with a code', async () => {
  const { port, closes } = await listening()
  const { socket, received, isOver } = raw(port)
  socket.write(Buffer.from([0x00, 0xe1, 0xf5, 0x05]))
  await eventually(() => closes.length === 1 && isOver())
  expect(closes).toEqual([CLOSE.tooLarge])
  // The close frame: its mark, its length, the code.
  expect(received().subarray(0, 4).toString('hex')).toBe('ffffffff')
  expect(received().readUInt16LE(8)).toBe(CLOSE.tooLarge)
})

test('what a browser or a scanner sends to the port is refused, and the node goes on', async () => {
  await using node = new RpcNode({ id: 'n', transports: [tcp()] })
  node.expose('ping', { ping: () => 'pong' }, { ping: 'player' })
  const { url } = await node.listen('tcp://127.0.0.1:0')
  const port = Number(new URL(url).port)
  const attempts = [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\x04\x00\x00\x00ABCD',
    '\x00\x00\x00\x00',
    '\x01\x00\x00\x00\x01',
  ].map((text) => {
    const one = raw(port)
    one.socket.write(Buffer.from(text, 'latin1'))
    return one
  })
  await eventually(() => attempts.every((one) => one.isOver()))
  await using client = new RpcNode({ id: 'c', transports: [tcp()] })
  const remote = client.at(url, 'ping') as unknown as { ping(): Promise<string> }
  expect(await remote.ping()).toBe('pong')
})

test('messages cut at every byte arrive whole', async () => {
  const { port, messages } = await listening()
  const { socket } = raw(port)
  const bytes = Buffer.from('0300000061626300000000020000006465', 'hex')
  for (const byte of bytes) {
    await new Promise<void>((resolve) => void socket.write(Buffer.of(byte), () => resolve()))
  }
  await eventually(() => messages.length === 3)
  expect(messages.map((message) => Buffer.from(message).toString())).toEqual(['abc', '', 'de'])
})

test('an end without a close frame, and a reset, are told as lost', async () => {
  const { port, closes, links } = await listening()
  const ending = raw(port)
  const resetting = raw(port)
  await eventually(() => links.length === 2)
  ending.socket.end()
  resetting.socket.resetAndDestroy()
  await eventually(() => closes.length === 2)
  expect(closes).toEqual([CLOSE.lost, CLOSE.lost])
})

test('what arrived before an end is delivered before it is told', async () => {
  const { port, messages, closes } = await listening()
  const { socket } = raw(port)
  const one = Buffer.from('010000007a', 'hex')
  socket.end(Buffer.concat(Array.from({ length: 50_000 }, () => one)))
  await eventually(() => closes.length === 1)
  expect(messages).toHaveLength(50_000)
})

test('a reader that stopped costs the sender no more than its bound', async () => {
  const { port, links, closes } = await listening()
  const { socket } = raw(port)
  await eventually(() => links.length === 1)
  socket.pause()
  const [link] = links as [Link]
  link.maxBufferedBytes = 2_000_000
  const chunk = new Uint8Array(100_000)
  let peak = 0
  await eventually(
    () => {
      for (let i = 0; i < 10; i++) link.send(chunk)
      peak = Math.max(peak, link.bufferedBytes)
      return closes.length === 1
    },
    { intervalMs: 2 },
  )
  expect(closes).toEqual([CLOSE.slowReader])
  expect(peak).toBeLessThanOrEqual(2_000_000)
})

test('addresses that are none are refused with a code', async () => {
  const transport = tcp()
  for (const url of ['tcp://', 'tcp://host', 'tcp://host:99999', 'tcp://host:x', 'nonsense']) {
    const [dial] = await settle(transport.dial(url, { trust: 'server', signal }))
    expect(dial).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
    const [listen] = await settle(transport.listen(url, { trust: 'server' }, () => {}))
    expect(listen).toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  }
  expect((await settle(new RpcNode({ id: 'n' }).listen('tcp://127.0.0.1:0')))[0]).toMatchObject({
    code: 'RPC_NO_TRANSPORT',
  })
})

test('IPv6 addresses have brackets both ways', async () => {
  const transport = tcp()
  onTestFinished(() => transport.abort())
  const [error, listener] = await settle(
    transport.listen('tcp://[::1]:0', { trust: 'server' }, () => {}),
  )
  // A machine without IPv6 says so with a code.
  if (error !== undefined) expect(error).toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  else {
    expect(listener?.url).toMatch(/^tcp:\/\/\[::1\]:\d+$/)
    await transport.dial(listener!.url, { trust: 'server', signal })
  }
})
