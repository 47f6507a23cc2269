import { fork } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '@rts/testing'
import { afterEach, expect, test } from 'vitest'
import { type DatagramSocket, type KcpListener, listen, openUdpSocket } from '../../src/index.ts'
import { claimPort } from '../../src/socket/port-claim.ts'

const HOST = '127.0.0.1'
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const open = (port: number, host = HOST): Promise<DatagramSocket> =>
  openUdpSocket({ bind: { host, port }, reusePort: false, bufferBytes: 65_536 })

/** Lets a while pass that is a little different each round. */
async function pass(round: number): Promise<void> {
  for (let turn = 0; turn < round % 8; turn += 1) await Promise.resolve()
  if (round % 3 > 0)
    await new Promise<void>((resolve) => {
      if (round % 3 === 1) process.nextTick(resolve)
      else setImmediate(resolve)
    })
}

test('of listeners that start on one port at once, only one gets it', async () => {
  for (let round = 0; round < 48; round += 1) {
    const port = await freePort()
    const start = (): Promise<KcpListener> => listen({ host: HOST, port }, () => {})
    const first = start()
    await pass(round)
    const ends = await Promise.allSettled([first, start(), start()])
    const listeners = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []))
    for (const listener of listeners) await listener.close()
    expect(codes).toEqual(['KCP_LISTEN_FAILED', 'KCP_LISTEN_FAILED'])
  }
})

test('one address of a port and all of them are not had by two either', async () => {
  for (let round = 0; round < 48; round += 1) {
    const port = await freePort()
    const first = open(port)
    await pass(round)
    const ends = await Promise.allSettled([first, open(port, '0.0.0.0')])
    const sockets = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    for (const socket of sockets) await socket.close()
    expect(sockets).toHaveLength(1)
  }
})

test.runIf(process.platform === 'linux')(
  'different addresses of a port, and many ports at once, are no hindrance to each other',
  async () => {
    const port = await freePort()
    const opening = [
      open(port),
      open(port, '127.0.0.2'),
      ...Array.from({ length: 50 }, () => open(0)),
    ]
    const sockets = await Promise.all(opening)
    for (const socket of sockets) cleanUps.push(() => socket.close())
    expect(new Set(sockets.map((socket) => `${socket.address} ${socket.port}`)).size).toBe(52)
  },
)

test('of processes that start on one port at once, only one gets it', async () => {
  const other = fork(new URL('./port-opener.ts', import.meta.url), {
    execArgv: ['--conditions=@rts/source'],
  })
  cleanUps.push(() => other.kill())
  const askOther = async (port: number): Promise<boolean> => {
    const answer = once(other, 'message')
    other.send({ host: HOST, port })
    return (await answer)[0] as boolean
  }
  await askOther(await freePort())
  for (let round = 0; round < 100; round += 1) {
    const port = await freePort()
    const theirs = askOther(port)
    await pass(round)
    const ours = await open(port).catch(() => undefined)
    const both = [ours !== undefined, await theirs]
    await ours?.close()
    expect(both.filter(Boolean)).toHaveLength(1)
  }
})

test.runIf(process.platform === 'linux')(
  'who has a claim keeps others waiting until it is given back',
  async () => {
    const port = await freePort()
    const release = await claimPort(port)
    const order: string[] = []
    const second = claimPort(port).then((again) => {
      order.push('had')
      again()
    })
    const others = await Promise.all([claimPort(port + 1), claimPort(port + 2)])
    for (const each of others) each()
    order.push('released')
    release()
    await second
    expect(order).toEqual(['released', 'had'])
  },
)
