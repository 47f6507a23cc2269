import { describe, expect, test } from 'vitest'
import { LoadWatch } from '../../src/socket/load-watch.ts'
import { type KcpConnectOptions, type KcpListenOptions, listen } from '../../src/index.ts'
import {
  atEachStart,
  Heard,
  pair,
  read,
  VirtualNetwork,
  type Pair,
} from '../support/virtual-network.ts'

const SERVER = '10.0.0.1 7000'

/** The event loop of a process that says how busy it is. */
class Loop {
  share = 0.1
  #sinceMs = 0
  #active = 0
  #idle = 0
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
    this.#sinceMs = now()
  }

  times(): { active: number; idle: number } {
    const passed = this.#now() - this.#sinceMs
    this.#sinceMs += passed
    this.#active += passed * this.share
    this.#idle += passed * (1 - this.share)
    return { active: this.#active, idle: this.#idle }
  }
}

interface Busy extends Pair {
  readonly loop: Loop
}

/** A session with a listener whose process has nearly no time left. */
async function busyPair(
  far: Partial<KcpListenOptions> = {},
  near: Partial<KcpConnectOptions> = {},
): Promise<Busy> {
  const network = new VirtualNetwork()
  const loop = new Loop(() => network.time.now())
  const clock = { ...network.clock, loopTimes: () => loop.times() }
  const session = await pair({ network, far: { clock, ...far }, near })
  loop.share = 0.95
  network.run(1000)
  return { ...session, loop }
}

/** So many datagrams come to the listener while the client says something 20 times a second and hears an echo. */
function datagramsOfEchoes({ network, near, far }: Pair, count = 40): number {
  far.onMessage = (bytes) => void far.send(bytes)
  const heard = new Heard(near)
  network.isRecording = true
  network.seen.length = 0
  for (let sent = 0; sent < count; sent += 1) {
    near.send(new Uint8Array(64))
    network.run(50)
  }
  expect(heard.messages).toHaveLength(count)
  return network.seen.filter(({ to }) => to === SERVER).length
}

atEachStart(() => {
  describe('a listener that is busy', () => {
    test('is sent acknowledgements with messages and not by themselves, and knows the round trip all the same', async () => {
      const busy = await busyPair()
      expect(datagramsOfEchoes(busy)).toBeLessThan(40 + 3)
      expect(busy.far.stats()).toMatchObject({ rttMs: 10, timeoutResends: 0, fastResends: 0 })
      expect(busy.near.stats()).toMatchObject({ rttMs: 10, timeoutResends: 0 })
      // Once it is calm again each goes at once.
      busy.loop.share = 0.3
      busy.network.run(1000)
      expect(datagramsOfEchoes(busy)).toBeGreaterThan(2 * 40 - 3)
    })

    test('is acknowledged after maxAckDelayMs by a client that has nothing to say', async () => {
      const { network, near, far } = await busyPair({ maxAckDelayMs: 150 })
      read(near)
      read(far)
      // The client has just sent something: its acknowledgement may wait from then on.
      near.send(new Uint8Array(1))
      network.run(20)
      far.send(new Uint8Array(64))
      network.run(100)
      expect(far.bufferedBytes).toBeGreaterThan(0)
      network.run(60)
      expect(far.bufferedBytes).toBe(0)
      expect(far.stats().timeoutResends).toBe(0)
    })

    test('delivers in order what is lost on the way, only later', async () => {
      const { network, near, far } = await busyPair()
      const heard = new Heard(near)
      read(far)
      network.faults.loss = 0.2
      for (let sent = 0; sent < 200; sent += 1) {
        far.send(Uint8Array.of(sent))
        near.send(new Uint8Array(10))
        network.run(50)
      }
      network.faults.loss = 0
      network.runUntil(() => heard.messages.length === 200)
      expect(heard.messages.map(([first]) => first)).toEqual(
        Array.from({ length: 200 }, (_, i) => i),
      )
      expect(far.stats().timeoutResends).toBeGreaterThan(0)
    })

    test.each([
      { load: 'calm', share: 0.1, resends: 2 },
      { load: 'busy', share: 0.95, resends: 0 },
    ])(
      'that is $load is sent a message again $resends times within 120 ms',
      async ({ share, resends }) => {
        const { network, near, far, loop } = await busyPair()
        loop.share = share
        network.run(1000)
        far.onMessage = (bytes) => void far.send(bytes)
        read(near)
        for (let sent = 0; sent < 20; sent += 1) {
          near.send(new Uint8Array(10))
          network.run(50)
        }
        const before = near.stats().timeoutResends
        network.faults.isCut = true
        near.send(new Uint8Array(10))
        network.run(120)
        expect(near.stats().timeoutResends - before).toBe(resends)
      },
    )

    test('is sent in few datagrams what a client said while nothing came back', async () => {
      const { network, near, far, loop } = await busyPair()
      const heard = new Heard(far)
      read(near)
      const sentDuringCut = (): number => {
        // Its acknowledgement tells how busy the listener is.
        near.send(new Uint8Array(10))
        network.run(1000)
        network.faults.isCut = true
        const before = near.stats().segmentsOut
        for (let sent = 0; sent < 20; sent += 1) {
          near.send(new Uint8Array(10))
          network.run(50)
        }
        network.faults.isCut = false
        const count = heard.messages.length
        network.runUntil(() => heard.messages.length === count + 20)
        return near.stats().segmentsOut - before
      }
      expect(sentDuringCut()).toBeLessThan(20)
      loop.share = 0.1
      network.run(1000)
      expect(sentDuringCut()).toBeGreaterThan(40)
    })

    test('is not kept from sending much: a flow is acknowledged as it comes', async () => {
      const { network, near, far } = await busyPair()
      const heard = new Heard(near)
      read(far)
      network.run(200)
      const began = network.time.now()
      // Two and a half windows of segments, each of which would wait for 100 ms.
      for (let part = 0; part < 12; part += 1) far.send(new Uint8Array(60_000))
      network.runUntil(() => heard.messages.length === 12)
      expect(network.time.now() - began).toBeLessThan(100)
    })

    test('closes without waiting for acknowledgements that are held', async () => {
      const { network, near, far } = await busyPair({ maxAckDelayMs: 1000 })
      const heard = new Heard(near)
      read(far)
      near.send(new Uint8Array(1))
      network.run(20)
      far.send(new Uint8Array(64))
      const began = network.time.now()
      void far.close(4000, 'enough')
      network.runUntil(() => heard.closes.length === 1)
      expect(heard.messages).toHaveLength(1)
      expect(network.time.now() - began).toBeLessThan(100)
    })
  })

  test('with maxAckDelayMs 0 each acknowledgement goes at once, busy or not', async () => {
    expect(datagramsOfEchoes(await busyPair({ maxAckDelayMs: 0 }))).toBeGreaterThan(2 * 40 - 3)
  })
})

test('maxAckDelayMs is a whole number from 0 to 1000', async () => {
  for (const maxAckDelayMs of [-1, 1.5, 1001, Number.NaN])
    await expect(listen({ port: 0, maxAckDelayMs }, () => {})).rejects.toThrow(
      /maxAckDelayMs must be a whole number from 0 to 1000/,
    )
})

test('a process is busy from 80 % of its time on, and calm below 50 %', () => {
  const network = new VirtualNetwork()
  const loop = new Loop(() => network.time.now())
  const told: [share: number, isBusy: boolean][] = []
  const watch = new LoadWatch({ ...network.clock, loopTimes: () => loop.times() }, (isBusy) =>
    told.push([loop.share, isBusy]),
  )
  for (const share of [0.7, 0.79, 0.81, 0.6, 0.9, 0.51, 0.49, 0.7, 0.85]) {
    loop.share = share
    network.run(250)
  }
  expect(told).toEqual([
    [0.81, true],
    [0.49, false],
    [0.85, true],
  ])
  watch.stop()
  loop.share = 0
  network.run(1000)
  expect(told).toHaveLength(3)
})
