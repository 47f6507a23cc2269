import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { eventually } from '@rts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { CLOSE, RpcNode, settle, type Link } from '../../src/index.ts'
import { websocket } from '../../src/websocket.ts'
import { ws } from '../../src/ws.ts'

const { signal } = new AbortController()

test('attaches to an HTTP server, each listener to its own path', async () => {
  const server = createServer((_, response) => void response.end('hello'))
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const transport = ws({ server })
  onTestFinished(() => transport.abort())
  const seen: string[] = []
  for (const path of ['/a', '/b']) {
    await transport.listen(`ws://127.0.0.1:${port}${path}`, { trust: 'player' }, () =>
      seen.push(path),
    )
  }
  const dialer = ws()
  onTestFinished(() => dialer.abort())
  await dialer.dial(`ws://127.0.0.1:${port}/b?x=1`, { trust: 'server', signal })
  await dialer.dial(`ws://127.0.0.1:${port}/a`, { trust: 'server', signal })
  expect(seen).toEqual(['/b', '/a'])
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello')
})

test('another path and a plain HTTP request are refused', async () => {
  const transport = ws()
  onTestFinished(() => transport.abort())
  const { url } = await transport.listen('ws://127.0.0.1:0/play', { trust: 'player' }, () => {})
  const other = url.replace('/play', '/other')
  const [error] = await settle(ws().dial(other, { trust: 'server', signal }))
  expect(error).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
  expect((await fetch(url.replace('ws:', 'http:'))).status).toBe(426)
})

async function withLink(): Promise<{
  url: string
  links: Link[]
  closes: number[]
  messages: Uint8Array[]
}> {
  const transport = ws()
  onTestFinished(() => transport.abort())
  const links: Link[] = []
  const closes: number[] = []
  const messages: Uint8Array[] = []
  const { url } = await transport.listen('ws://127.0.0.1:0/', { trust: 'player' }, (link) => {
    links.push(link)
    link.onMessage = (message) => messages.push(message.slice())
    link.onClose = (code) => closes.push(code)
  })
  return { url, links, closes, messages }
}

async function raw(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  onTestFinished(() => socket.terminate())
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('open', resolve))
  return socket
}

test('many messages ride in one WebSocket message, and one may be cut over two', async () => {
  const { url, messages } = await withLink()
  const socket = await raw(url)
  socket.send(Buffer.from('010000006101000000620300', 'hex'))
  socket.send(Buffer.from('0000636465', 'hex'))
  await eventually(() => messages.length === 3)
  expect(messages.map((message) => Buffer.from(message).toString())).toEqual(['a', 'b', 'cde'])
})

test('the messages of one turn leave in one WebSocket message', async () => {
  const { url, links } = await withLink()
  const socket = await raw(url)
  const received: Buffer[] = []
  socket.on('message', (data) => received.push(data as Buffer))
  await eventually(() => links.length === 1)
  for (let i = 0; i < 100; i++) links[0]!.send(new Uint8Array(20))
  await eventually(() => received.length > 0)
  expect(received.map((data) => data.length)).toEqual([2400])
})

test('text, a length above the limit and a WebSocket message above 64 KiB close it with a code', async () => {
  const { url, closes } = await withLink()
  const text = await raw(url)
  text.send('hello')
  await eventually(() => closes.length === 1)
  const long = await raw(url)
  long.send(Buffer.from('01400000', 'hex'))
  await eventually(() => closes.length === 2)
  const huge = await raw(url)
  huge.send(new Uint8Array(65_537))
  await eventually(() => closes.length === 3)
  expect(closes).toEqual([CLOSE.protocol, CLOSE.tooLarge, CLOSE.lost])
})

test('compression is never negotiated', async () => {
  const { url } = await withLink()
  const socket = await raw(url)
  expect(socket.extensions).toBe('')
})

test('the browser’s side dials only, and talks to a node like any other', async () => {
  const [error] = await settle(
    websocket().listen('ws://127.0.0.1:0/', { trust: 'player' }, () => {}),
  )
  expect(error).toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  await using server = new RpcNode({ id: 's', transports: [ws()] })
  server.expose('echo', { echo: (x: Uint8Array) => x.length }, { echo: 'player' })
  const { url } = await server.listen('ws://127.0.0.1:0/rpc')
  await using client = new RpcNode({ id: 'c', transports: [websocket()] })
  const echo = client.at(url, 'echo') as unknown as { echo(x: Uint8Array): Promise<number> }
  expect(await echo.echo(new Uint8Array(10_000))).toBe(10_000)
  expect((await settle(echo.echo(new Uint8Array(20_000))))[0]).toMatchObject({
    code: 'RPC_TOO_LARGE',
    executed: 'no',
  })
})

test.each([
  ['ws', ws],
  ['websocket', websocket],
] as const)('%s sends each message at once, or when it is told, if asked to', async (_, dialer) => {
  const listening = ws()
  onTestFinished(() => listening.abort())
  const received: number[] = []
  const { url } = await listening.listen('ws://127.0.0.1:0', { trust: 'server' }, (link) => {
    link.onMessage = (message) => received.push(message[0]!)
  })
  const manual = dialer({ flush: 'manual' })
  const immediate = dialer({ flush: 'immediate' })
  onTestFinished(() => manual.abort())
  onTestFinished(() => immediate.abort())
  const waits = await manual.dial(url, { trust: 'server', signal })
  const hurries = await immediate.dial(url, { trust: 'server', signal })
  waits.send(Uint8Array.of(1))
  hurries.send(Uint8Array.of(2))
  await eventually(() => received.length === 1)
  expect(received).toEqual([2])
  manual.flush()
  await eventually(() => received.length === 2)
  expect(received).toEqual([2, 1])
})
