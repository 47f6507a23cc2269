import type { Link, Transport } from '@rts/rpc'
import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { GateDialer, type Gates } from '../src/gate-dialer.ts'

/** A network of which only some addresses answer. */
class Network implements Transport {
  readonly scheme = 'sim'
  readonly dialled: string[] = []
  readonly alive = new Set<string>()

  async dial(url: string): Promise<Link> {
    this.dialled.push(url)
    if (!this.alive.has(url)) throw new Error('nobody is there')
    return { remote: url, close() {} } as unknown as Link
  }

  listen(): Promise<never> {
    throw new Error('a client does not listen')
  }
}

function dialerOf(gates: Gates): {
  dialer: GateDialer
  network: Network
  clock: SteppedClock
  links: string[]
} {
  const network = new Network()
  const clock = new SteppedClock()
  const links: string[] = []
  const dialer = new GateDialer({
    gates,
    transports: [network],
    dialTimeoutMs: 1000,
    retryDelayMs: 100,
    maxRetryDelayMs: 1000,
    maxMessageBytes: 1000,
    clock,
    random: seededRandom(1),
    logger: { debug() {}, warn() {} },
    onLink: (_link, url) => links.push(url),
  })
  return { dialer, network, clock, links }
}

test('a function is asked for the gates at the start, and again only when all of them have failed', async () => {
  const answers = [
    ['sim://a', 'sim://b'],
    ['sim://c', 'sim://d'],
  ]
  let asked = 0
  const { dialer, network, clock, links } = dialerOf(async () => answers[asked++] ?? [])
  network.alive.add('sim://c')
  dialer.start()
  await clock.runUntil(() => links.length > 0)
  expect(network.dialled).toEqual(['sim://a', 'sim://b', 'sim://c'])
  expect({ links, asked }).toEqual({ links: ['sim://c'], asked: 2 })
})

test('while the function fails or hangs, the gates known so far are tried on', async () => {
  const answers: (() => Promise<string[]>)[] = [
    async () => ['sim://a'],
    async () => {
      throw new Error('the login is away')
    },
    () => new Promise(() => {}),
  ]
  let asked = 0
  const { dialer, network, clock, links } = dialerOf(
    () => answers[asked++]?.() ?? Promise.resolve([]),
  )
  dialer.start()
  await clock.runUntil(() => network.dialled.length === 3)
  network.alive.add('sim://a')
  await clock.runUntil(() => links.length > 0)
  expect(new Set(network.dialled)).toEqual(new Set(['sim://a']))
})

test('a function that has no gate that can be reached is asked again after a pause', async () => {
  let asked = 0
  const { dialer, network, clock, links } = dialerOf(() =>
    ++asked < 3 ? ['ws://other'] : ['sim://a'],
  )
  network.alive.add('sim://a')
  dialer.start()
  await clock.runUntil(() => links.length > 0)
  expect({ asked, dialled: network.dialled }).toEqual({ asked: 3, dialled: ['sim://a'] })
})

test('a list is refused at once when no transport reaches one of its gates', () => {
  expect(() => dialerOf(['ws://a'])).toThrow('no transport for the gate ws://a; given: sim')
  expect(() => dialerOf([])).toThrow(RangeError)
})
