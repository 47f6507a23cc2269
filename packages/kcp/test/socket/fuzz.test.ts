import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { seededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import {
  decodeAcceptHeader,
  decodeHello,
  decodeRefuse,
  decodeRetry,
  KIND,
} from '../../src/socket/datagram.ts'
import { authenticated, type DatagramCipher, type KcpSecurity } from '../../src/index.ts'
import { stateOf } from '../support/fuzz.ts'
import { mutate, record, withCores } from '../support/mutations.ts'
import { Heard, pair } from '../support/virtual-network.ts'

const MUTATIONS = 1_000_000
/** Until everything that has room for a fixed number of things has filled it. */
const WARM_UP = 100_000
const MAX_GROWTH_BYTES = 2 ** 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function bytesInUse(): number {
  collect()
  // Array buffers are swept beside the program; the next collection waits for that.
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const CLIENT = '10.0.9.1'

describe('a million mutated datagrams', () => {
  test('change nothing without the key: no throw, no close, no growth, no answer but to hellos', async () => {
    const ends = await pair({ far: { maxRetriesPerSecond: 1000 } })
    const { network, near, far, listener } = ends
    const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
    const [corpus, cores] = withCores(() => record(ends))
    expect(cores).toHaveLength(2)
    const sentBefore = listener.counters().datagramsOut
    let received = mutate(listener, corpus, far.remotePort, WARM_UP)
    const state = () => ({
      cores: cores.map(stateOf),
      stats: [near.stats(), far.stats()],
      heard: [heardNear, heardFar].map(({ messages, unreliable }) => [messages, unreliable]),
      addresses: [far.remoteAddress, far.remotePort],
    })
    const before = structuredClone(state())
    const bytesBefore = bytesInUse()
    received += mutate(listener, corpus, far.remotePort, MUTATIONS)
    expect(bytesInUse() - bytesBefore).toBeLessThan(MAX_GROWTH_BYTES)
    // Two flips of one bit are none: such a datagram is a replay.
    expect(state()).toEqual(before)
    const counters = listener.counters()
    expect(counters).toMatchObject({ opened: 1, closed: 0, migrations: 0 })
    expect([...heardNear.closes, ...heardFar.closes]).toEqual([])
    expect(counters.dropped.notAuthentic).toBeGreaterThan(MUTATIONS / 20)
    expect(counters.dropped.replayed).toBeGreaterThan(MUTATIONS / 20)
    expect(counters.datagramsOut - sentBefore).toBeLessThanOrEqual(counters.retries)
    expect(counters.bytesOut).toBeLessThan(received)
    // Nor has the window of numbers that were seen moved: what the ends send next is new.
    const refused = (): number => {
      const { notAuthentic, replayed } = listener.counters().dropped
      return notAuthentic + replayed
    }
    const refusedBefore = refused()
    near.send(new Uint8Array(5))
    network.run(100)
    expect(heardFar.messages.at(-1)).toEqual(new Uint8Array(5))
    expect(refused()).toBe(refusedBefore)
  }, 30_000)

  test('with the key, but any body: the session lives or closes with a code, and the listener goes on', async () => {
    const random = seededRandom(12)
    for (let round = 0; round < 60; round += 1) {
      // A peer that has the keys and uses them for nonsense.
      const real = authenticated()
      let cipher: DatagramCipher | undefined
      const security: KcpSecurity = {
        begin: (draw) => {
          const exchange = real.begin(draw)
          const finish: typeof exchange.finish = (reply, transcript) =>
            (cipher = exchange.finish(reply, transcript))
          return { hello: exchange.hello, finish }
        },
        accept: () => undefined,
      }
      const { network, near, far, listener } = await pair({ seed: round + 1, near: { security } })
      const { conv } = near
      const heard = new Heard(far)
      const bytes = new Uint8Array(1600)
      for (let counter = 1000; counter < 1500; counter += 1) {
        const body = random(random.int(200))
        const kind = KIND.kcp + random.int(9)
        if (random.chance(0.5) && body.length >= 24) {
          body.set([conv, conv >>> 8, conv >>> 16, conv >>> 24, 81 + random.int(4), 0])
          body.fill(0, 12, 24)
          body[20] = random.int(body.length)
        }
        bytes.set([kind, conv, conv >>> 8, conv >>> 16, conv >>> 24, counter, counter >>> 8])
        bytes.fill(0, 7, 11)
        bytes.set(body, 11)
        const end = cipher!.seal(bytes, 0, 11, 11 + body.length, counter)
        listener.deliver(bytes.slice(0, end), CLIENT, far.remotePort)
        if (!far.isOpen) break
      }
      network.run(10_000)
      if (!far.isOpen) expect(heard.closes).toHaveLength(1)
      expect(listener.sessionCount).toBeLessThanOrEqual(1)
    }
  })

  test('parsers of the handshake are total', () => {
    const random = seededRandom(13)
    const nonce = new Uint8Array(8)
    for (let i = 0; i < 100_000; i += 1) {
      const bytes = random(random.int(600))
      if (random.chance(0.8)) bytes.set([KIND.hello, 0x4b, 0x43, 0x50, 1].slice(0, bytes.length))
      const hello = decodeHello(bytes)
      if (typeof hello === 'object') {
        expect(hello.token.length + hello.key.length).toBeLessThan(bytes.length)
        expect(hello.idleTimeoutMs * hello.window).toBeGreaterThan(0)
      }
      if (random.chance(0.8)) bytes.fill(0, 1, 9)
      decodeRetry(bytes, nonce)
      decodeRefuse(bytes, nonce)
      const accept = decodeAcceptHeader(bytes, nonce)
      if (accept !== undefined) expect(accept.bodyStart).toBeLessThanOrEqual(bytes.length)
    }
  })
})
