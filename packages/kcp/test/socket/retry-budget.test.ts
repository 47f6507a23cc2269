import { seededRandom, type SeededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { connect, type KcpListener, type KcpSession } from '../../src/index.ts'
import { HELLO_NONCE_AT, isFirstHello, KIND } from '../../src/socket/datagram.ts'
import { RetryBudget } from '../../src/socket/flood/retry-budget.ts'
import { helloOf } from '../support/hello.ts'
import { connecting, listening, VirtualNetwork } from '../support/virtual-network.ts'

const SERVER = '10.0.0.1 7000'
const numbered = (n: number): Uint8Array =>
  helloOf(Uint8Array.of(n, n >> 8, n >> 16, n >> 24, 0, 0, 0, 0))

/** Answers a first hello if it may be. */
function answered(budget: RetryBudget, hello: Uint8Array, nowMs: number): boolean {
  const isAdmitted = budget.admits(hello, nowMs)
  if (isAdmitted) budget.take(hello, nowMs)
  return isAdmitted
}

const spent = (perSecond: number): RetryBudget => {
  const budget = new RetryBudget(perSecond, seededRandom(1), 0)
  for (let i = 0; i <= perSecond; i += 1) answered(budget, numbered(-1 - i), 0)
  return budget
}

describe('a budget of answers', () => {
  test('is there as a whole, for everyone and without memory, until it is spent', () => {
    const budget = new RetryBudget(100, seededRandom(1), 0)
    for (let i = 0; i < 100; i += 1) expect(answered(budget, numbered(i), 0)).toBe(true)
    expect(budget.bytes).toBe(0)
    expect(answered(budget, numbered(100), 0)).toBe(false)
    expect(budget.bytes).toBe(2 * 1024 * 1024)
  })

  test.each([
    [40, 40],
    [400, 100],
    [5000, 500],
  ])('of %i a second gives %i at once, and the rest over the second', (perSecond, atOnce) => {
    const budget = new RetryBudget(perSecond, seededRandom(1), 0)
    const answersAt = (nowMs: number): number => {
      let answers = 0
      for (let i = 0; i < 1000; i += 1)
        if (answered(budget, numbered(nowMs * 1000 + i), nowMs)) answers += 1
      return answers
    }
    expect(answersAt(0)).toBe(atOnce)
    let later = 0
    for (let nowMs = 1; nowMs <= 1000; nowMs += 1) later += answersAt(nowMs)
    // Half of the burst may be kept for what comes again.
    expect(later).toBeLessThanOrEqual(perSecond)
    expect(later).toBeGreaterThanOrEqual(perSecond - atOnce / 2 - 1)
  })

  test('leaves its lower half to what comes again', () => {
    const budget = spent(100)
    expect(answered(budget, numbered(1), 250)).toBe(false)
    expect(answered(budget, numbered(2), 250)).toBe(false)
    expect(answered(budget, numbered(1), 500)).toBe(true)
    expect(answered(budget, numbered(3), 500)).toBe(false)
    expect(answered(budget, numbered(2), 500)).toBe(true)
    expect(answered(budget, numbered(4), 550)).toBe(true)
  })

  test('answers one nonce that comes all the time once a second out of that half', () => {
    const budget = spent(100)
    const forged = seededRandom(2)
    let answers = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs += 1) {
      for (let i = 0; i < 20; i += 1) answered(budget, helloOf(forged(8)), nowMs)
      if (answered(budget, numbered(1), nowMs)) answers += 1
    }
    expect(answers).toBeGreaterThanOrEqual(10)
    expect(answers).toBeLessThan(30)
  })

  test('answers again, a second later, whose answer was lost', () => {
    const budget = spent(100)
    expect(answered(budget, numbered(1), 600)).toBe(true)
    for (let i = 0; i < 60; i += 1) answered(budget, numbered(100 + i), 600)
    expect(answered(budget, numbered(1), 600)).toBe(false)
    expect(answered(budget, numbered(1), 1000)).toBe(true)
  })

  test.each([1, 2, 3, 7])('of %i a second is used up, in a flood as well', (perSecond) => {
    const budget = spent(perSecond)
    let answers = 0
    for (let nowMs = 0; nowMs < 20_000; nowMs += 1)
      if (answered(budget, numbered(nowMs), nowMs)) answers += 1
    expect(Math.abs(answers - 20 * perSecond)).toBeLessThanOrEqual(perSecond)
  })

  test('of none answers nobody', () => {
    const budget = new RetryBudget(0, seededRandom(1), 0)
    for (let nowMs = 0; nowMs < 5000; nowMs += 100)
      expect(answered(budget, numbered(1), nowMs)).toBe(false)
  })

  test('answers all but 3 in 1000 who come again among 100,000 a second that do not', () => {
    const budget = new RetryBudget(5000, seededRandom(1), 0)
    const forged = numbered(0)
    const clients: Uint8Array[] = []
    let [sent, asked, refused] = [0, 0, 0]
    for (let nowMs = 0; nowMs < 9000; nowMs += 1) {
      for (let i = 0; i < 100; i += 1) {
        sent += 1
        forged.set([sent, sent >> 8, sent >> 16], HELLO_NONCE_AT)
        answered(budget, forged, nowMs)
      }
      // Four new ones each millisecond, as many as there is budget for.
      if (nowMs >= 250 && clients.length > 1000)
        for (const client of clients.splice(0, 4)) {
          asked += 1
          if (!answered(budget, client, nowMs)) refused += 1
        }
      for (let i = 0; i < 4; i += 1) {
        const client = numbered(-1 - nowMs * 4 - i)
        if (!answered(budget, client, nowMs)) clients.push(client)
      }
    }
    // Taken by mistake for answered a moment ago.
    expect(refused).toBeLessThan(0.003 * asked)
    expect(asked).toBeGreaterThan(30_000)
  })

  test('gives its memory back ten seconds after the flood, and begins anew', () => {
    const budget = spent(100)
    expect(answered(budget, numbered(1), 3000)).toBe(true)
    budget.expire(10_000)
    expect(budget.bytes).toBeGreaterThan(0)
    budget.expire(10_001)
    expect(budget.bytes).toBe(0)
    for (let i = 0; i < 100; i += 1) expect(answered(budget, numbered(i), 10_001)).toBe(true)
    expect(answered(budget, numbered(100), 10_001)).toBe(false)
    expect(answered(budget, numbered(100), 10_250)).toBe(true)
  })

  test('is kept in every span of time, whatever comes', () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = seededRandom(seed)
      const perSecond = 1 + random.int(60)
      const budget = new RetryBudget(perSecond, random.fork(), 0)
      const distinct = 1 + random.int(500)
      const times: number[] = []
      for (let nowMs = 0; nowMs < 8000; nowMs += random.int(10) + 1) {
        for (let i = random.int(random.chance(0.1) ? 100 : 4); i > 0; i -= 1)
          if (answered(budget, numbered(random.int(distinct)), nowMs)) times.push(nowMs)
        budget.expire(nowMs)
      }
      let slack = 0
      // Of a bucket: in any span no more than what it holds and what it gains meanwhile.
      for (const [at, ms] of times.entries()) {
        slack = at === 0 ? 0 : Math.max(0, slack - ((ms - times[at - 1]!) * perSecond) / 1000)
        slack += 1
        expect(slack).toBeLessThan(perSecond + 1e-6)
      }
      expect(times.length).toBeGreaterThan(0)
    }
  })
})

/** Forged hellos at random moments, until it is stopped. */
function flood(
  network: VirtualNetwork,
  perSecond: number,
  next: (random: SeededRandom) => Uint8Array = (random) => helloOf(random(8)),
): () => void {
  const random = network.random.fork()
  let isOver = false
  const send = (): void => {
    if (isOver) return
    network.inject(`10.${random.int(256)}.${random.int(256)}.9 4000`, SERVER, next(random))
    network.time.setTimer((-Math.log(1 - random.next()) * 1000) / perSecond, send)
  }
  send()
  return () => (isOver = true)
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

/** So many clients; how many are in within their 5 s, and with how many first hellos each. */
async function newClients(
  network: VirtualNetwork,
  count: number,
  intervalMs = 0,
): Promise<{ readonly connected: number; readonly tries: readonly number[] }> {
  network.isRecording = true
  const hosts = Array.from({ length: count }, (_, i) => `10.7.${i}.1`)
  const to = { host: '10.0.0.1', port: 7000 }
  const attempts: Promise<PromiseSettledResult<KcpSession>[]>[] = []
  for (const host of hosts) {
    attempts.push(Promise.allSettled([connect({ ...network.on(host), ...to })]))
    await turn()
    network.run(intervalMs)
  }
  network.run(5001)
  const outcomes = await Promise.all(attempts)
  const connected = outcomes.flat().filter(({ status }) => status === 'fulfilled').length
  const tries = new Map(hosts.map((host) => [host, 0]))
  for (const { from, bytes } of network.seen) {
    const host = from.split(' ')[0]!
    if (bytes[0] === KIND.hello && isFirstHello(bytes)) tries.set(host, tries.get(host)! + 1)
  }
  return { connected, tries: [...tries.values()] }
}

/** A listener in the second second of a flood. */
async function flooded(
  network: VirtualNetwork,
  budget: number,
  ...how: Parameters<typeof flood> extends [VirtualNetwork, ...infer Rest] ? Rest : never
): Promise<{ readonly listener: KcpListener; readonly stop: () => void }> {
  const listener = await listening(network, { maxRetriesPerSecond: budget })
  const stop = flood(network, ...how)
  network.run(2000)
  return { listener, stop }
}

describe('a flood of a hundred forged first hellos to each that may be answered', () => {
  test('costs a new client one try', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const network = new VirtualNetwork(seed)
      network.faults.jitterMs = 1
      await flooded(network, 50, 5000)
      const { connected, tries } = await newClients(network, 1)
      expect(connected).toBe(1)
      expect(tries[0]).toBeLessThanOrEqual(2)
    }
  })

  test('costs each of fifty that come at once no more', async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const network = new VirtualNetwork(seed)
      network.faults.jitterMs = 1
      await flooded(network, 200, 20_000)
      const { connected, tries } = await newClients(network, 50)
      expect(connected).toBe(50)
      expect(Math.max(...tries)).toBeLessThanOrEqual(2)
    }
  })

  test('is answered no more than the budget in every second, new clients included', async () => {
    const network = new VirtualNetwork(1)
    const { listener } = await flooded(network, 200, 20_000)
    const clients = newClients(network, 50)
    const each: number[] = []
    const count = (before: number): void => {
      network.time.setTimer(1000, () => {
        const { retries } = listener.counters()
        each.push(retries - before)
        if (each.length < 5) count(retries)
      })
    }
    count(listener.counters().retries)
    await clients
    expect(each).toHaveLength(5)
    // The first second spends what was saved for the clients.
    expect(each[0]).toBeLessThanOrEqual(200 + 100)
    for (const answers of each.slice(1)) expect(answers).toBeLessThanOrEqual(201)
  })

  test('of the very same hello keeps nobody out either', async () => {
    const network = new VirtualNetwork(1)
    network.faults.jitterMs = 1
    const same = numbered(1)
    await flooded(network, 100, 10_000, () => same)
    const { connected, tries } = await newClients(network, 20)
    expect(connected).toBe(20)
    expect(Math.max(...tries)).toBeLessThanOrEqual(2)
  })

  test('is forgotten once it is over: the whole budget is there for a rush', async () => {
    const network = new VirtualNetwork(1)
    const { listener, stop } = await flooded(network, 100, 10_000)
    stop()
    network.run(12_000)
    const { retries } = listener.counters()
    for (let i = 0; i < 150; i += 1) network.inject(`10.8.${i}.1 4000`, SERVER, numbered(i))
    expect(listener.counters().retries - retries).toBe(100)
  })
})

describe('a flood that repeats every hello', () => {
  test('gets the budget and no more, and leaves new clients the chance they had by lot', async () => {
    const [budget, perSecond, clients] = [500, 5000, 200]
    const network = new VirtualNetwork(1)
    network.faults.jitterMs = 1
    const again: Uint8Array[] = []
    let sent = 0
    const { listener } = await flooded(network, budget, perSecond, (random) => {
      sent += 1
      // Every other one is one of a quarter of a second ago.
      if (sent % 2 === 0 && again.length > perSecond / 8) return again.shift()!
      const fresh = helloOf(random(8))
      again.push(fresh)
      return fresh
    })
    const before = listener.counters().retries
    const { connected } = await newClients(network, clients, 20)
    const seconds = 5 + (clients * 20) / 1000
    expect(listener.counters().retries - before).toBeLessThanOrEqual(budget * (seconds + 1))
    const byLot = 1 - (1 - budget / perSecond) ** 6
    expect(connected).toBeGreaterThan(clients * byLot)
  })
})

test('without a flood a client is answered at once, and so is a rush of the whole budget', async () => {
  const network = new VirtualNetwork(1)
  const listener = await listening(network, { maxRetriesPerSecond: 100 })
  for (let i = 0; i < 99; i += 1) network.inject(`10.8.${i}.1 4000`, SERVER, numbered(i))
  const began = network.time.now()
  await connecting(network)
  expect(network.time.now() - began).toBe(20)
  expect(listener.counters()).toMatchObject({ retries: 100, dropped: { retryBudget: 0 } })
})
