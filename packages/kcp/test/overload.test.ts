// A listener that is sent more than it can take: what its clients make of that.
import { seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { Kcp, SegmentPool } from '../src/index.ts'

const CLIENTS = 100
const PER_SECOND = 28
/** Datagrams it takes in a millisecond: of 2800 messages a second it could not take each in one of its own. */
const CAPACITY = 2
const QUEUE = 200
const ONE_WAY_MS = 5
const SECONDS = 20
const MESSAGE_BYTES = 64

interface Client {
  readonly near: Kcp
  readonly far: Kcp
  readonly sentAtMs: number[]
}

interface Outcome {
  /** Share of the messages of the last half that were answered in it. */
  readonly goodput: number
  readonly p50: number
  readonly p99: number
  /** To one message. */
  readonly resends: number
}

/** All clients of one listener, whose queue is full whenever it cannot keep up. */
function overload(isCongested: boolean): Outcome {
  const options = { nodelay: 1, interval: 10, resend: 2, nc: true, sndWnd: 256, stream: true }
  const pool = new SegmentPool()
  const queue: { client: Client; bytes: Uint8Array }[] = []
  const back: { client: Client; bytes: Uint8Array; atMs: number }[] = []
  const tripsMs: number[] = []
  const scratch = new Uint8Array(65_536)
  let nowMs = 0
  const copyOf = (buffer: Uint8Array, offset: number, length: number): Uint8Array =>
    buffer.slice(offset, offset + length)
  const clients = Array.from({ length: CLIENTS }, (_, index): Client => {
    const near = new Kcp(
      index + 1,
      (...datagram) => {
        if (queue.length < QUEUE) queue.push({ client, bytes: copyOf(...datagram) })
      },
      { ...options, pool },
    )
    const far = new Kcp(
      index + 1,
      (...datagram) => back.push({ client, bytes: copyOf(...datagram), atMs: nowMs + ONE_WAY_MS }),
      { ...options, pool },
    )
    const client = { near, far, sentAtMs: [] }
    near.holdsAcks = true
    near.isCongested = isCongested
    near.ackDelayMs = 100
    far.ackDelayMs = 100
    return client
  })
  const resends = (): number =>
    clients.reduce((sum, { near: { stats } }) => sum + stats.fastResends + stats.timeoutResends, 0)
  const message = new Uint8Array(MESSAGE_BYTES)
  const random = seededRandom(1)
  let offered = 0
  let resendsBefore = 0
  for (; nowMs < SECONDS * 1000; nowMs += 1) {
    if (nowMs === (SECONDS * 1000) / 2) {
      tripsMs.length = 0
      offered = 0
      resendsBefore = resends()
    }
    for (const client of clients) {
      // Not in step: else it is always the same ones that find the queue full.
      if (!random.chance(PER_SECOND / 1000)) continue
      client.near.send(message)
      client.sentAtMs.push(nowMs)
      offered += 1
    }
    for (const { client, bytes } of queue.splice(0, CAPACITY)) {
      client.far.input(bytes, 0, bytes.length, nowMs)
      for (let size = client.far.receive(scratch); size > 0; size = client.far.receive(scratch))
        client.far.send(scratch, 0, size)
      client.far.flush(nowMs)
    }
    while (back[0] !== undefined && back[0].atMs <= nowMs) {
      const { client, bytes } = back.shift()!
      client.near.input(bytes, 0, bytes.length, nowMs)
      let echoed = 0
      for (let size = client.near.receive(scratch); size > 0; size = client.near.receive(scratch))
        echoed += size
      for (const atMs of client.sentAtMs.splice(0, echoed / MESSAGE_BYTES))
        tripsMs.push(nowMs - atMs)
    }
    for (const { near, far } of clients) {
      if (near.nextDeadline(nowMs) <= nowMs) near.flush(nowMs)
      if (far.nextDeadline(nowMs) <= nowMs) far.flush(nowMs)
    }
  }
  const sorted = tripsMs.toSorted((a, b) => a - b)
  return {
    goodput: sorted.length / offered,
    p50: sorted[sorted.length >> 1]!,
    p99: sorted[Math.floor(sorted.length * 0.99)]!,
    resends: (resends() - resendsBefore) / offered,
  }
}

test('clients that are told so put more into fewer datagrams, and all is answered', () => {
  const told = overload(true)
  expect(told.goodput).toBeGreaterThan(0.98)
  expect(told.p50).toBeLessThan(250)
  expect(told.p99).toBeLessThan(3000)
  expect(told.resends).toBeLessThan(0.15)
  // Otherwise what was lost in the queue is sent again at once, into the same queue.
  const untold = overload(false)
  expect(untold.goodput).toBeLessThan(0.9)
  expect(untold.p99).toBeGreaterThan(3 * told.p99)
  expect(untold.resends).toBeGreaterThan(3 * told.resends)
})
