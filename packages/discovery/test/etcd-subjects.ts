import { Etcd3, type Lease } from 'etcd3'
import { EtcdBackend, Registry } from '../src/index.ts'
import { systemClock } from '../src/clock.ts'
import { LiveView } from '../src/live-view.ts'
import { silentLogger } from '../src/logger.ts'
import { systemRandom } from '../src/random.ts'

/** What is watched, as its user sees it. */
export interface SubjectView {
  /** Values by key. */
  readonly entries: ReadonlyMap<string, string>
  /** The values of all puts that were told, in order. */
  readonly heard: readonly string[]
  /** It believes that it hears every change. */
  isFresh(): boolean
}

/** A client of etcd that is put through a script: this package, or `etcd3` as its documentation shows it. */
export interface Subject extends AsyncDisposable {
  /** Enters the node `id` under a lease. */
  register(id: string): Promise<void>
  /** It believes that its lease is held. */
  holds(): boolean
  watch(prefix: string): Promise<SubjectView>
  /** Reads something. */
  read(): Promise<unknown>
  /** Stands for an office for ever; the function says whether it believes that it leads. */
  campaign(name: string): () => boolean
}

export class OurSubject implements Subject {
  readonly #registry: Registry
  readonly #backend: EtcdBackend
  readonly #leave = new AbortController()
  readonly #views: LiveView[] = []

  constructor(hosts: string, ttlSeconds: number) {
    this.#backend = new EtcdBackend({ hosts })
    this.#backend.open()
    this.#registry = new Registry(this.#backend, { ttlSeconds })
  }

  async register(id: string): Promise<void> {
    await this.#registry.register({ id, role: 'game', addresses: {} })
  }

  holds(): boolean {
    return systemClock.now() < this.#registry.lease.heldUntil
  }

  async watch(prefix: string): Promise<SubjectView> {
    const entries = new Map<string, string>()
    const heard: string[] = []
    const listed = Promise.withResolvers<void>()
    const view = new LiveView({
      backend: this.#backend,
      range: { prefix },
      callTimeoutMs: 3000,
      auditIntervalMs: 300_000,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      onChange(before, after) {
        if (after) {
          entries.set(after.key, after.value)
          heard.push(after.value)
        } else entries.delete(before!.key)
      },
      onFresh: () => listed.resolve(),
      onInterrupted: () => {},
      onListed: () => {},
    })
    this.#views.push(view)
    await listed.promise
    return { entries, heard, isFresh: () => view.isFresh }
  }

  read(): Promise<unknown> {
    return this.#backend.range({ key: '/anything' })
  }

  campaign(name: string): () => boolean {
    const office = this.#registry.elect(name)
    let heldUntil = () => 0
    const run = async () => {
      while (!this.#leave.signal.aborted) {
        const leadership = await office.campaign('me', { signal: this.#leave.signal })
        heldUntil = () => leadership.heldUntil
        await new Promise((resolve) => leadership.signal.addEventListener('abort', resolve))
      }
    }
    run().catch(() => {})
    return () => systemClock.now() < heldUntil()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave.abort()
    for (const view of this.#views) view.close()
    await this.#registry.stop()
    await this.#backend.close()
  }
}

export class Etcd3Subject implements Subject {
  readonly #client: Etcd3
  readonly #ttlSeconds: number
  #lease: Lease | undefined
  #isLost = false
  #isOver = false

  constructor(hosts: string, ttlSeconds: number) {
    this.#client = new Etcd3({ hosts })
    this.#ttlSeconds = ttlSeconds
  }

  async register(id: string): Promise<void> {
    this.#lease = this.#client.lease(this.#ttlSeconds)
    this.#lease.on('lost', () => (this.#isLost = true))
    await this.#lease.put(`/default/nodes/game/${id}`).value('me').exec()
  }

  holds(): boolean {
    return !this.#isLost
  }

  async watch(prefix: string): Promise<SubjectView> {
    const entries = new Map<string, string>()
    const heard: string[] = []
    let isFresh = true
    const watcher = await this.#client.watch().prefix(prefix).create()
    watcher.on('put', ({ key, value }) => {
      entries.set(key.toString(), value.toString())
      heard.push(value.toString())
    })
    watcher.on('delete', ({ key }) => void entries.delete(key.toString()))
    watcher.on('connected', () => (isFresh = true))
    watcher.on('disconnected', () => (isFresh = false))
    // Its documentation asks for a listener; there is nothing to be done in it.
    watcher.on('error', () => {})
    return { entries, heard, isFresh: () => isFresh }
  }

  read(): Promise<unknown> {
    return this.#client.get('/anything').string()
  }

  /** The pattern of its documentation. */
  campaign(name: string): () => boolean {
    const election = this.#client.election(name, this.#ttlSeconds)
    let leads = false
    const run = () => {
      if (this.#isOver) return
      const campaign = election.campaign('me')
      campaign.on('elected', () => (leads = true))
      campaign.on('error', () => {
        leads = false
        setTimeout(run, 1000).unref()
      })
    }
    run()
    return () => leads
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.#client.close()
    return Promise.resolve()
  }
}
