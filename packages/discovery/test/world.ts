import { SteppedClock, seededRandom, type SeededRandom } from '@rts/testing'
import { MemoryBackend, Registry, type NodeInit, type RegistryOptions } from '../src/index.ts'

/** Registries over one memory store, under one clock that only the test moves. */
export class World {
  readonly clock: SteppedClock = new SteppedClock({ startMs: 1_000 })
  readonly random: SeededRandom
  readonly store: MemoryBackend
  readonly #registries: Registry[] = []

  constructor(seed = 1) {
    this.random = seededRandom(seed)
    this.store = new MemoryBackend({ clock: this.clock })
  }

  /** A process of its own: a registry, and its connection to break. */
  node(options: RegistryOptions = {}): { registry: Registry; link: MemoryBackend } {
    const link = this.store.client()
    const { clock } = this
    const registry = new Registry(link, {
      clock,
      random: this.random.fork(),
      ttlSeconds: 3,
      ...options,
    })
    this.#registries.push(registry)
    return { registry, link }
  }

  /** Moves time until the promise settles. */
  async run<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    promise.then(settled, settled)
    await this.clock.runUntil(() => isSettled, { limitMs })
    return promise
  }

  /** The error that the promise rejects with. */
  failure(promise: Promise<unknown>, limitMs = 60_000): Promise<Error & { code?: string }> {
    return this.run(
      promise.then(
        (value) => {
          throw new Error(`did not fail but gave ${JSON.stringify(value)}`)
        },
        (error: Error) => error,
      ),
      limitMs,
    )
  }

  async stop(): Promise<void> {
    this.store.setFault(undefined)
    await this.run(Promise.all(this.#registries.map((registry) => registry.stop())))
  }
}

export const game = (id: string, rest: Partial<NodeInit> = {}): NodeInit => ({
  id,
  role: 'game',
  addresses: { tcp: `tcp://${id}:7001` },
  ...rest,
})

export const ids = (nodes: readonly { readonly id: string }[]): string[] =>
  nodes.map((node) => node.id)
