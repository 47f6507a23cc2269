import { expect, test } from 'vitest'
import type { DatagramSocket } from '../../src/socket/datagram-socket.ts'
import { Shelters, type Sheltered } from '../../src/socket/flood/shelters.ts'

class Port implements DatagramSocket {
  readonly address = '10.0.0.1'
  readonly port = 7000
  onDatagram: DatagramSocket['onDatagram'] = () => {}
  onError: DatagramSocket['onError'] = () => {}
  isClosed = false
  readonly opened = new Map<string, Port>()
  fails = false

  send(): boolean {
    return true
  }
  async connected(address: string, port: number): Promise<DatagramSocket> {
    if (this.fails) throw new Error('EMFILE')
    const socket = new Port()
    this.opened.set(`${address} ${port}`, socket)
    return socket
  }
  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}

const session = (port: number): Sheltered => ({ address: '10.0.9.1', port, shelterFlood: 0 })
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

test('a session that is heard during a flood gets a socket; before it none does', async () => {
  const port = new Port()
  const got: number[] = []
  const shelters = new Shelters(port, (bytes) => got.push(bytes[0]!))
  const one = session(1)
  shelters.heard(one)
  expect(shelters.size).toBe(0)
  shelters.flooded(100)
  shelters.heard(one)
  shelters.heard(one)
  await settled()
  expect([...port.opened.keys()]).toEqual(['10.0.9.1 1'])
  port.opened.get('10.0.9.1 1')!.onDatagram(Uint8Array.of(5), '10.0.9.1', 1)
  expect(got).toEqual([5])
})

test('sockets are closed ten seconds after the flood, and opened again in the next', async () => {
  const port = new Port()
  const shelters = new Shelters(port, () => {})
  const one = session(1)
  shelters.flooded(0)
  shelters.heard(one)
  await settled()
  const first = port.opened.get('10.0.9.1 1')!
  shelters.flooded(9000)
  shelters.expire(18_000)
  expect(first.isClosed).toBe(false)
  shelters.expire(19_001)
  expect(first.isClosed).toBe(true)
  expect(shelters.size).toBe(0)
  shelters.heard(one)
  expect(shelters.size).toBe(0)
  shelters.flooded(60_000)
  shelters.heard(one)
  await settled()
  expect(port.opened.get('10.0.9.1 1')).not.toBe(first)
})

test('a session that leaves its address leaves its socket, even one that is being opened', async () => {
  const port = new Port()
  const shelters = new Shelters(port, () => {})
  shelters.flooded(0)
  shelters.heard(session(1))
  await settled()
  shelters.left('10.0.9.1', 1)
  shelters.heard(session(2))
  shelters.left('10.0.9.1', 2)
  await settled()
  expect([...port.opened.values()].map(({ isClosed }) => isClosed)).toEqual([true, true])
  expect(shelters.size).toBe(0)
})

test('no more than so many are opened at a time, and in all', async () => {
  const port = new Port()
  const shelters = new Shelters(port, () => {})
  shelters.flooded(0)
  const sessions = Array.from({ length: 1100 }, (_, i) => session(i + 1))
  for (const each of sessions) shelters.heard(each)
  await settled()
  expect(shelters.size).toBe(8)
  for (let round = 0; round < 200; round += 1) {
    for (const each of sessions) shelters.heard(each)
    await settled()
  }
  expect(shelters.size).toBe(1024)
})

test('when no socket can be had, sessions stay where they are until the flood is over', async () => {
  const port = new Port()
  port.fails = true
  const shelters = new Shelters(port, () => {})
  shelters.flooded(0)
  shelters.heard(session(1))
  await settled()
  port.fails = false
  shelters.heard(session(2))
  await settled()
  expect(shelters.size).toBe(0)
  shelters.expire(20_000)
  shelters.flooded(60_000)
  shelters.heard(session(2))
  await settled()
  expect(shelters.size).toBe(1)
})
