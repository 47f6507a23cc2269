import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { connect, Kcp, type KcpSession, listen } from '../../src/index.ts'
import { SimulatedNetwork } from '../../src/simulator.ts'
import { commonsOfClients, Scratch } from '../../src/socket/commons.ts'
import { Inbox } from '../../src/socket/inbox.ts'
import type { FrameSink } from '../../src/socket/frames.ts'

test('clients that go by one clock share timer and buffers, others do not', () => {
  const clock = new SteppedClock()
  expect(commonsOfClients(clock)).toBe(commonsOfClients(clock))
  expect(commonsOfClients(new SteppedClock())).not.toBe(commonsOfClients(clock))
})

test('who reads from within the callback of a reader leaves that one its bytes', () => {
  const scratch = new Scratch()
  const inboxOf = (
    text: string,
  ): { inbox: Inbox; got: string[]; onFrame: (bytes: Uint8Array) => void } => {
    const far = new Kcp(7, () => {}, { stream: true })
    const near = new Kcp(7, (bytes, at, length) => far.input(bytes, at, length, 0), {
      stream: true,
    })
    for (let i = 0; i < 3; i += 1) {
      const message = new TextEncoder().encode(`${text} ${i}`)
      near.send(Uint8Array.of(message.length))
      near.send(message)
    }
    near.flush(0)
    const got: string[] = []
    const onFrame = (bytes: Uint8Array): void => void got.push(Buffer.from(bytes).toString())
    return { inbox: new Inbox(far, 'frames', scratch), got, onFrame }
  }
  const sinkOf = (onFrame: (bytes: Uint8Array) => void): FrameSink => ({
    maxMessageBytes: 100,
    isReading: true,
    onFrame,
    onBadFrame: (problem) => expect.unreachable(problem),
  })
  const [inner, outer] = [inboxOf('inner'), inboxOf('outer')]
  const isAll = outer.inbox.read(
    sinkOf((bytes) => {
      inner.inbox.read(sinkOf(inner.onFrame))
      outer.onFrame(bytes)
    }),
  )
  expect(isAll).toBe(true)
  expect(inner.got).toEqual(['inner 0', 'inner 1', 'inner 2'])
  expect(outer.got).toEqual(['outer 0', 'outer 1', 'outer 2'])
})

test('clients that share their buffers get what is theirs, though all send and receive at one moment', async () => {
  const clock = new SteppedClock()
  const random = seededRandom(1)
  const path = { delayMs: 20, loss: 0.1, duplicate: 0.1 }
  const network = new SimulatedNetwork({ clock, seed: 1, path })
  const server = { host: 'server', port: 7000, clock, random }
  await listen({ ...server, openSocket: network.host('server') }, (session) => {
    session.on('message', (bytes) => session.send(bytes))
    session.on('unreliable', (bytes) => session.sendUnreliable(bytes))
  })
  const connecting = Array.from({ length: 20 }, (_, index) =>
    connect({ ...server, openSocket: network.host(`client ${index}`) }),
  )
  await clock.advance(3000)
  const clients: KcpSession[] = await Promise.all(connecting)
  const got = clients.map((): string[] => [])
  const wanted = clients.map((): string[] => [])
  const foreign: string[] = []
  for (const [index, client] of clients.entries()) {
    client.on('message', (bytes) =>
      got[index]!.push(`${bytes.length} ${new Set(bytes).size} ${bytes[0]}`),
    )
    client.on('unreliable', (bytes) => {
      if (bytes.some((byte) => byte !== index)) foreign.push(`${index}: ${bytes.join()}`)
    })
  }
  for (let round = 0; round < 30; round += 1) {
    for (const [index, client] of clients.entries()) {
      // From less than a datagram to many.
      const length = 1 + ((round * 997 + index * 331) % 9000)
      client.send(new Uint8Array(length).fill(index))
      client.sendUnreliable(new Uint8Array(20).fill(index))
      wanted[index]!.push(`${length} 1 ${index}`)
    }
    await clock.advance(30)
  }
  await clock.advance(10_000)
  expect(got).toEqual(wanted)
  expect(foreign).toEqual([])
})
