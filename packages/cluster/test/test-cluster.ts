import { MemoryBackend, Registry } from '@rts/discovery'
import { clusterKey } from '@rts/rpc/node'
import { SimNetwork } from '@rts/rpc/sim'
import { CrashableClock, SteppedClock, seededRandom } from '@rts/testing'
import { startNode, type ClusterNode, type NodeOptions } from '../src/index.ts'

export const TTL_SECONDS = 3

/** Nodes on simulated links, one memory registry and one stepped clock. */
export class TestCluster {
  readonly clock = new SteppedClock()
  readonly random = seededRandom(7)
  readonly network = new SimNetwork({ clock: this.clock, random: this.random.fork() })
  readonly backend = new MemoryBackend({ clock: this.clock })

  readonly #clocks = new Map<string, CrashableClock>()

  options(id: string, options: Partial<NodeOptions> = {}): NodeOptions {
    const clock = new CrashableClock(this.clock)
    this.#clocks.set(id, clock)
    return {
      id,
      role: id.split('_')[0] ?? id,
      registry: new Registry(this.backend, {
        ttlSeconds: TTL_SECONDS,
        clock,
        random: this.random.fork(),
      }),
      transports: [this.network.host(id)],
      listen: [`sim://${id}:1`],
      cluster: clusterKey('a secret of this cluster'),
      clock,
      random: this.random.fork(),
      ...options,
    }
  }

  start(id: string, options: Partial<NodeOptions> = {}): Promise<ClusterNode> {
    return this.wait(startNode(this.options(id, options)))
  }

  /** Ends a node as `kill -9` would. */
  crash(id: string): void {
    this.#clocks.get(id)?.crash()
    this.network.host(id).abort()
  }

  /** Settles a promise by letting the simulated time pass. */
  async wait<T>(promise: Promise<T>, limitMs = 20_000): Promise<T> {
    let isSettled = false
    const settled = promise.finally(() => (isSettled = true))
    settled.catch(() => {})
    await this.clock.runUntil(() => isSettled, { limitMs })
    return settled
  }
}

/** What a rejected promise was rejected with, by its code. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
  } catch (error) {
    return (error as { code?: string }).code
  }
  return undefined
}
