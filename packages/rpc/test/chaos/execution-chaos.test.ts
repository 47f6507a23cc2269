import { seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { settle, withCall, type RpcError, type RpcNode, type RpcTable } from '../../src/index.ts'
import { SimCluster } from '../support.ts'

// Mailboxes, probes and streams while links between nodes are cut, stalled and go silent at random.

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1)
const NODES = ['a', 'b', 'c'] as const

interface Step {
  readonly id: string
  readonly waitMs: number
  readonly then: readonly Step[]
}

class Actor {
  static readonly rpc = { act: 'server', note: 'server' } as const satisfies RpcTable<Actor>
  readonly noted: number[] = []
  readonly #cluster: SimCluster
  readonly #node: RpcNode
  /** Handlers that do not wait for a call they made. */
  #running = 0
  mostAtOnce = 0

  constructor(cluster: SimCluster, node: RpcNode) {
    this.#cluster = cluster
    this.#node = node
  }
  /** Waits, then asks others, one after the other. */
  async act({ waitMs, then }: Step): Promise<number> {
    this.#enter()
    try {
      if (waitMs > 0) await this.#sleep(waitMs)
      let acted = 1
      for (const step of then) {
        // A call that comes back runs inside, while the one that made it waits.
        this.#running -= 1
        try {
          acted += await this.#node.entity<typeof Actor>(refOf(step.id)).act(step)
        } finally {
          this.#enter()
        }
      }
      return acted
    } finally {
      this.#running -= 1
    }
  }
  async note(number: number, waitMs: number): Promise<void> {
    this.#enter()
    this.noted.push(number)
    await this.#sleep(waitMs)
    this.#running -= 1
  }
  #enter(): void {
    this.#running += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running)
  }
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#cluster.clock.setTimer(ms, resolve))
  }
}

const refOf = (id: string): { id: string; url: string } => ({ id, url: `sim://${id[0]}:1` })

async function setUp(seed: number) {
  const cluster = new SimCluster(seed, { delayMs: 1, jitterMs: 4 })
  const actors = new Map<string, Actor>()
  const nodes = new Map<string, RpcNode>()
  for (const name of NODES) {
    const node = cluster.node(name, { connectTimeoutMs: 500 })
    nodes.set(name, node)
    await node.listen(`sim://${name}:1`)
    for (const id of [`${name}1`, `${name}2`]) {
      const actor = new Actor(cluster, node)
      actors.set(id, actor)
      node.serve(id, actor)
    }
  }
  const random = seededRandom(seed)
  const fault = (): void => {
    const [x, y] = [NODES[random.int(3)]!, NODES[random.int(3)]!]
    if (x === y) return
    const { network, clock } = cluster
    const kind = random.int(3)
    if (kind === 0) network.cut(x, y)
    else if (kind === 1) {
      network.stall(x, y, true)
      clock.setTimer(50 + random.int(500), () => network.stall(x, y, false))
    } else {
      network.partition(x, y, true)
      clock.setTimer(50 + random.int(4000), () => network.partition(x, y, false))
    }
  }
  const isIdle = (): void => {
    for (const node of nodes.values()) {
      const { pendingCalls, runningCalls, waitingCalls, openStreams } = node.stats()
      expect({ pendingCalls, runningCalls, waitingCalls, openStreams }).toEqual({
        pendingCalls: 0,
        runningCalls: 0,
        waitingCalls: 0,
        openStreams: 0,
      })
    }
  }
  return { cluster, clock: cluster.clock, random, actors, nodes, fault, isIdle }
}

test.each(SEEDS)(
  'an entity notes one at a time, in the order of each caller, whatever breaks, seed %i',
  async (seed) => {
    const { clock, random, actors, nodes, fault, isIdle } = await setUp(seed)
    const outcomes: Promise<unknown>[] = []
    const told = new Map<number, string>()
    for (let number = 0; number < 300; number++) {
      const remote = nodes.get('b')!.entity<typeof Actor>(refOf('a1'))
      const call = withCall(remote, { timeoutMs: 200 + random.int(2000) })
      outcomes.push(
        settle(call.note(number, random.int(3))).then(([error]) =>
          told.set(number, error === undefined ? 'yes' : ((error as RpcError).executed ?? 'maybe')),
        ),
      )
      if (random.int(3) === 0) await clock.advance(random.int(20))
      if (random.int(25) === 0) fault()
    }
    await clock.advance(10_000)
    await Promise.all(outcomes)
    const { noted, mostAtOnce } = actors.get('a1')!
    expect(mostAtOnce).toBe(1)
    expect(noted).toEqual([...noted].sort((x, y) => x - y))
    expect(new Set(noted).size).toBe(noted.length)
    for (const [number, executed] of told) {
      if (executed === 'yes') expect(noted).toContain(number)
      if (executed === 'no') expect(noted).not.toContain(number)
    }
    expect(told.size).toBe(300)
    isIdle()
  },
)

test.each(SEEDS)(
  'chains at random never run two in one mailbox, and no circle waits for its deadline, seed %i',
  async (seed) => {
    const { clock, random, actors, nodes, isIdle, fault } = await setUp(seed)
    const ids = [...actors.keys()]
    const step = (depth: number): Step => ({
      id: ids[random.int(ids.length)]!,
      waitMs: random.int(4) === 0 ? random.int(30) : 0,
      then: depth === 0 ? [] : Array.from({ length: random.int(3) }, () => step(depth - 1)),
    })
    let slowest = 0
    const codes = new Set<string>()
    // Half of the runs have a sound network: there nothing may end by its deadline.
    const isSound = seed % 2 === 0
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 6 }, () => {
        const first = step(4)
        const startedAt = clock.now()
        const node = nodes.get(NODES[random.int(3)]!)!
        const remote = withCall(node.entity<typeof Actor>(refOf(first.id)), { timeoutMs: 20_000 })
        return settle(remote.act(first)).then(([error]) => {
          slowest = Math.max(slowest, clock.now() - startedAt)
          if (error !== undefined) codes.add(error.code ?? error.message)
        })
      })
      if (!isSound) {
        await clock.advance(random.int(30))
        fault()
      }
      await clock.advance(25_000)
      await Promise.all(calls)
    }
    if (isSound) {
      for (const { mostAtOnce } of actors.values()) expect(mostAtOnce).toBe(1)
      expect([...codes].filter((code) => code !== 'RPC_DEADLOCK')).toEqual([])
      // Six chains may be caught in one another several times over.
      expect(slowest).toBeLessThan(10_000)
    }
    isIdle()
  },
)

class Feed {
  static readonly rpc = { count: 'server', echo: 'server' } as const satisfies RpcTable<Feed>
  open = 0
  async *count(to: number, size: number): AsyncGenerator<readonly [number, Uint8Array]> {
    this.open += 1
    try {
      for (let i = 1; i <= to; i++) yield [i, new Uint8Array(size)]
    } finally {
      this.open -= 1
    }
  }
  async *echo(numbers: AsyncIterable<number>): AsyncGenerator<number> {
    this.open += 1
    try {
      for await (const number of numbers) yield number
    } finally {
      this.open -= 1
    }
  }
}

test.each(SEEDS)(
  'a stream is a beginning of what was sent, without gaps, and is over at both ends, seed %i',
  async (seed) => {
    const { clock, random, nodes, fault, isIdle } = await setUp(seed)
    const feed = new Feed()
    nodes.get('a')!.expose('feed', feed)
    let openHere = 0
    async function* upTo(to: number): AsyncGenerator<number> {
      openHere += 1
      try {
        for (let i = 1; i <= to; i++) yield i
      } finally {
        openHere -= 1
      }
    }
    const read = async (to: number, isBoth: boolean, stopAt: number): Promise<string> => {
      const remote = nodes.get('b')!.at<typeof Feed>('sim://a:1', 'feed')
      let last = 0
      try {
        const items = isBoth ? remote.echo(upTo(to)) : remote.count(to, random.int(20_000))
        for await (const item of items) {
          const number = typeof item === 'number' ? item : item[0]
          if (number !== last + 1) return `${number} after ${last}`
          last = number
          if (last === stopAt) return 'stopped'
        }
      } catch (error) {
        return (error as RpcError).code
      }
      return last === to ? 'whole' : `ended at ${last} of ${to}`
    }
    const reading: Promise<string>[] = []
    for (let i = 0; i < 40; i++) {
      const to = random.int(200)
      reading.push(read(to, random.int(2) === 0, random.int(4) === 0 ? random.int(100) : -1))
      await clock.advance(random.int(15))
      if (random.int(8) === 0) fault()
    }
    await clock.advance(15_000)
    const outcomes = new Set(await Promise.all(reading))
    for (const known of ['whole', 'stopped', 'RPC_CLOSED', 'RPC_CONNECT_FAILED', 'RPC_TIMEOUT']) {
      outcomes.delete(known)
    }
    expect([...outcomes]).toEqual([])
    expect([feed.open, openHere]).toEqual([0, 0])
    isIdle()
  },
)
