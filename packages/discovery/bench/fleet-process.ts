// A process of the bench: a part of the fleet, nodes or consumers, told what to do by the bench.
import { setTimeout as pause } from 'node:timers/promises'
import { EtcdBackend, Registry, type Directory, type Registration } from '../src/index.ts'

/** Milliseconds that all processes of this machine agree on. */
const now = (): number => performance.timeOrigin + performance.now()

interface Node {
  readonly id: string
  readonly backend: EtcdBackend
  registry: Registry
  registration: Registration
}

const consumers: Directory[] = []
const joins = new Map<string, number[]>()
const leaves = new Map<string, number[]>()
const nodes: Node[] = []
const written: number[] = []
let backAt: (number | undefined)[] = []
let flaps = 0
let failedStarts = 0
let fleetTtl = 10
let fleetSize = 0

const note = (times: Map<string, number[]>, id: string): void => {
  const all = times.get(id)
  if (all) all.push(now())
  else times.set(id, [now()])
}

/** As a supervisor does it: a start that fails is tried again. */
async function enter(id: string, backend: EtcdBackend): Promise<Node> {
  for (;;) {
    const registry = new Registry(backend, { ttlSeconds: fleetTtl, fleetSize })
    try {
      const addresses = { tcp: `tcp://${id}:7001` }
      const registration = await registry.register({ id, role: 'game', addresses })
      registry.on('registered', () => written.push(now()))
      return { id, backend, registry, registration }
    } catch {
      failedStarts++
      await registry.stop()
    }
  }
}

async function inBatches<T>(items: readonly T[], size: number, work: (item: T) => Promise<void>) {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: size }, worker))
}

const commands = {
  /** Each consumer has connections of its own. */
  async consume(hosts: string, count: number): Promise<void> {
    await inBatches([...Array(count).keys()], 10, async () => {
      const directory = new Registry(new EtcdBackend({ hosts })).watch('game')
      directory.on('join', ({ id }) => note(joins, id))
      directory.on('leave', ({ id }) => {
        flaps++
        if (directory.get(id) === undefined) note(leaves, id)
      })
      consumers.push(directory)
      while (directory.stale) await pause(5)
    })
  },
  async register(
    hosts: string,
    prefix: string,
    count: number,
    options: { ttl: number; fleetSize?: number; perBackend: number },
  ): Promise<void> {
    fleetTtl = options.ttl
    fleetSize = options.fleetSize ?? 0
    const backends: EtcdBackend[] = []
    for (let i = 0; i < count; i += options.perBackend) {
      const backend = new EtcdBackend({ hosts })
      // It stays open while its registries come and go.
      backend.open()
      backends.push(backend)
    }
    const places = [...Array(count).keys()]
    await inBatches(places, 10, async (i) => {
      const backend = backends[Math.floor(i / options.perBackend)]!
      nodes[i] = await enter(`${prefix}_${i}`, backend)
    })
  },
  /** Restarts every node within so many milliseconds; gives the epochs. */
  async roll(durationMs: number): Promise<[string, string][]> {
    const from = now()
    const restarts = nodes.map(async (node, i) => {
      await pause(Math.max(1, from + (durationMs * i) / nodes.length - now()))
      await node.registry.stop()
      nodes[i] = await enter(node.id, node.backend)
    })
    await Promise.all(restarts)
    return nodes.map(({ id, registry }) => [id, registry.epoch])
  },
  epochs: async (): Promise<[string, string][]> =>
    nodes.map(({ id, registry }) => [id, registry.epoch]),
  /** When every consumer of this process has exactly these nodes. */
  async converge(expected: readonly (readonly [string, string])[]): Promise<number> {
    const isRight = (directory: Directory) =>
      directory.nodes.length === expected.length &&
      expected.every(([id, epoch]) => directory.get(id)?.epoch === epoch)
    for (const directory of consumers) while (!isRight(directory)) await pause(10)
    return now()
  },
  times: async (kind: 'join' | 'leave', id: string): Promise<number[]> =>
    (kind === 'join' ? joins : leaves).get(id) ?? [],
  flaps: async (): Promise<number> => flaps,
  failedStarts: async (): Promise<number> => failedStarts,
  /** Begins to look when each node is registered again. */
  async arm(): Promise<void> {
    backAt = nodes.map(() => undefined)
    flaps = 0
    written.length = 0
    const look = setInterval(() => {
      for (const [i, { registration }] of nodes.entries()) {
        if (registration.isRegistered) backAt[i] ??= now()
        else backAt[i] = undefined
      }
    }, 5)
    look.unref()
  },
  /** For each node since when it is registered, without a break. */
  back: async (): Promise<(number | undefined)[]> => backAt,
  written: async (): Promise<number[]> => written,
}

process.on('message', (message: { id: number; command: keyof typeof commands; args: never[] }) => {
  const work = commands[message.command] as (...args: never[]) => Promise<unknown>
  work(...message.args).then(
    (result) => process.send?.({ id: message.id, result }),
    (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

export type FleetCommands = typeof commands
