import { AddressBook } from './address-book.ts'
import { AddressTarget, type Dialing } from './address-target.ts'
import { transportFor } from './address.ts'
import type { CallTarget } from './call-target.ts'
import { systemClock, type Clock } from './clock.ts'
import { CLOSE } from './close-codes.ts'
import type { ClusterAuth } from './cluster-auth.ts'
import { Connector } from './connector.ts'
import { raceDials, type Dial } from './dial-race.ts'
import type { EntityRef } from './entity-ref.ts'
import { RpcError } from './errors.ts'
import { checkLimits, exposeLimited } from './method-gate.ts'
import { exposeByClass } from './exposure.ts'
import { messageBytesFor, SERVER_MESSAGE_BYTES } from './limits.ts'
import { LinkPassing, type PassingNode } from './link-passing.ts'
import type { Link, LinkOptions, Listener, Transport } from './link.ts'
import { Liveness } from './liveness.ts'
import { aroundHandlers, InterceptedTarget, type Interceptor } from './interceptors.ts'
import { MethodCounts } from './method-stats.ts'
import { LocalCalls } from './local-calls.ts'
import { LocatedTarget, type Locate } from './located-target.ts'
import type { Logger } from './logger.ts'
import { mailboxOf } from './mailbox.ts'
import { NodeHost, type VirtualLinkHandler } from './node-host.ts'
import { positive } from './options.ts'
import type { RpcPeer } from './peer.ts'
import type { Beat, Dispatch } from './peer-host.ts'
import type { DecodeLimits } from './decode-limits.ts'
import { systemRandom, type Random } from './random.ts'
import { entityRemote, serviceRemote } from './remote.ts'
import type { CallerKind, Ctor, Remote, RpcTable } from './remote-types.ts'
import type { RpcStats } from './stats.ts'
import { encodeEntityId } from './wire.ts'

export interface RpcNodeOptions {
  /** Unique in the cluster; 1 to 255 bytes. */
  readonly id: string
  /** @defaultValue '' */
  readonly role?: string
  /** Tells this start of the node from the ones before. @defaultValue random */
  readonly epoch?: string
  /** @defaultValue none: only links made elsewhere can be attached */
  readonly transports?: readonly Transport[]
  /** Proves that this node is of the cluster. Without it there are no server peers, but for `trustLoopback`. */
  readonly cluster?: ClusterAuth
  /**
   * Lets whoever proves that he holds this key be an `admin` here. A node with this key and without `cluster` dials as
   * an admin: it is a tool of an operator, to which nothing is open at its own end but what players may call.
   * @defaultValue none: only links that are attached as such are of admins
   */
  readonly admin?: ClusterAuth
  /** For development: peers on this machine (loopback, memory, sim) that claim to be servers are believed. @defaultValue false */
  readonly trustLoopback?: boolean
  /** Of a call that says nothing else; milliseconds from 1. @defaultValue 3000 */
  readonly defaultTimeoutMs?: number
  /** Between pings on server links; milliseconds from 1. @defaultValue 1000 */
  readonly pingIntervalMs?: number
  /** Silence after which a server link is closed; above `pingIntervalMs`. @defaultValue 3000 */
  readonly pingTimeoutMs?: number
  /** For a dial with its handshake, on either side; milliseconds from 1. @defaultValue 5000 */
  readonly connectTimeoutMs?: number
  /** How long `close` waits for running handlers; milliseconds from 0. @defaultValue 1000 */
  readonly closeTimeoutMs?: number
  /** Calls waiting for an answer on one link. @defaultValue 1 000 000 */
  readonly maxPendingPerPeer?: number
  /** Unfinished calls of one player. @defaultValue 256 */
  readonly maxRunningPerPlayer?: number
  /** Unfinished calls of one link to a server. @defaultValue no bound */
  readonly maxRunningPerServer?: number
  /** Calls that wait for the turn in one mailbox. @defaultValue 1024 */
  readonly maxWaitingPerObject?: number
  /** What a message body from a player may hold. @defaultValue see {@link DecodeLimits} */
  readonly playerLimits?: Partial<DecodeLimits>
  /**
   * Finds the address of the node that serves an entity. It is asked again, with the address that turned out `wrong`,
   * when a call was surely not executed there. @defaultValue the `url` of the ref
   */
  readonly locate?: Locate
  /** Asked before each dispatch, and again when the turn of a call comes that waited; what it throws is the answer, with `executed: 'no'`. */
  readonly beforeDispatch?: (call: Dispatch) => void
  /** Take part in each call, the first one outermost. @defaultValue none, at no cost */
  readonly interceptors?: readonly Interceptor[]
  /** Counts and times what is served, by method: `stats().methods`. @defaultValue false */
  readonly methodStats?: boolean
  /** A few bytes of this node's own that go with the pings between servers, both ways. @defaultValue none */
  readonly beat?: Beat
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
}

export interface AttachOptions {
  /** What the other end has earned: it decides what it may call here, and how its bytes are read. */
  readonly trust: CallerKind
  /** Attached links never shake hands: who made the link knows who is there. */
  readonly handshake?: false
  /** Names the other end; becomes `peer.nodeId`. @defaultValue the link's `remote` */
  readonly name?: string
  /** The largest message taken. @defaultValue 16 MiB from a server, else 16 KiB */
  readonly maxReceiveBytes?: number
  /** The largest message the other end takes; above it a call fails here with `RPC_TOO_LARGE`. @defaultValue 16 MiB */
  readonly maxSendBytes?: number
}

/** One process of a cluster, or one client: what it offers, and whom it calls. */
export class RpcNode {
  readonly id: string
  readonly role: string
  readonly #host: NodeHost
  readonly #connector: Connector
  readonly #transports: readonly Transport[]
  readonly #random: Random
  readonly #closeTimeoutMs: number
  readonly #locate: RpcNodeOptions['locate']
  readonly #listeners = new Set<Listener>()
  /** Where it listens for servers. */
  readonly #ownUrls = new Set<string>()
  readonly #addresses = new AddressBook()
  readonly #peerListeners = new Set<(peer: RpcPeer) => void>()
  readonly #liveness: Liveness
  readonly #local: LocalCalls
  readonly #methods: MethodCounts | undefined
  #closing: Promise<void> | undefined

  constructor(options: RpcNodeOptions) {
    encodeEntityId(options.id)
    const clock = options.clock ?? systemClock
    const random = options.random ?? systemRandom
    const pingIntervalMs = positive('pingIntervalMs', options.pingIntervalMs ?? 1000)
    const pingTimeoutMs = positive('pingTimeoutMs', options.pingTimeoutMs ?? 3000)
    if (pingTimeoutMs <= pingIntervalMs) {
      throw new RangeError(`pingTimeoutMs must be above pingIntervalMs, got ${pingTimeoutMs}`)
    }
    this.id = options.id
    this.role = options.role ?? ''
    this.#random = random
    this.#transports = options.transports ?? []
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 1000
    this.#locate = options.locate
    this.#liveness = new Liveness(clock, pingIntervalMs, pingTimeoutMs)
    const epoch = options.epoch ?? hex(random(8))
    this.#host = new NodeHost(epoch, options, clock, random, (peer) => this.#liveness.forget(peer))
    this.#local = new LocalCalls(this.#host)
    const { interceptors = [], methodStats = false } = options
    this.#methods = methodStats ? new MethodCounts(clock) : undefined
    // It times the handler, and with it the interceptors given here that are inside.
    const all = this.#methods === undefined ? interceptors : [this.#methods, ...interceptors]
    this.#host.aroundHandler = aroundHandlers(all)
    if (
      interceptors.some(({ outgoing, notify }) => outgoing !== undefined || notify !== undefined)
    ) {
      this.#host.intercept = (target) => new InterceptedTarget(target, interceptors)
    }
    const passingNode = this.#passingNode()
    this.#host.passingFor = (end) => new LinkPassing(passingNode, end)
    this.#connector = new Connector({
      host: this.#host,
      self: {
        id: this.id,
        role: this.role,
        epoch,
        cluster: options.cluster,
        admin: options.admin,
        trustLoopback: options.trustLoopback ?? false,
        random,
      },
      transports: this.#transports,
      connectTimeoutMs: positive('connectTimeoutMs', options.connectTimeoutMs ?? 5000),
      onPeer: (peer) => this.#greeted(peer),
    })
  }

  /** Open peers, attached ones included. */
  get peers(): ReadonlySet<RpcPeer> {
    return this.#host.peers
  }

  /**
   * Takes links at an address. Who connects shakes hands and becomes a peer; see `onPeer`.
   *
   * @throws RpcError `RPC_LISTEN_FAILED`, for instance when the port is in use; `RPC_NO_TRANSPORT`.
   */
  async listen(url: string, options: Partial<LinkOptions> = {}): Promise<Listener> {
    this.#mustBeOpen()
    const { clock } = this.#host
    const random = this.#random
    const trust = options.trust ?? 'server'
    const transport = transportFor(this.#transports, url)
    const given = { clock, random, ...options, trust }
    const inner = await transport.listen(url, given, (link) => this.#connector.greet(link, given))
    const own = trust === 'server' ? this.#address(inner.url) : undefined
    if (own !== undefined) {
      own.local = this.#local
      this.#ownUrls.add(inner.url)
    }
    const listener: Listener = {
      url: inner.url,
      close: () => {
        this.#listeners.delete(listener)
        if (own !== undefined) own.local = undefined
        this.#ownUrls.delete(inner.url)
        return inner.close()
      },
    }
    this.#listeners.add(listener)
    if (this.#closing !== undefined) await listener.close()
    return listener
  }

  /**
   * The peer at an address: one link per address, shared with `at`, dialled when there is none.
   *
   * @throws RpcError `RPC_CONNECT_FAILED`, `RPC_UNAUTHORIZED`, `RPC_VERSION`, `RPC_NO_TRANSPORT`.
   */
  connect(
    url: string | readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<RpcPeer> {
    return this.#address(url).connect(options.signal)
  }

  /**
   * A service by address. The first call dials; so does the next one after the link was lost. At an address that this
   * node listens on for servers, calls go straight to the handler, as those of `service` do. Several addresses of one
   * node are dialled in a race, in their order with a head start of 250 ms each.
   */
  at<C extends Ctor>(url: string | readonly string[], service: string): Remote<C, 'server'> {
    return serviceRemote(this.#intercepted(this.#address(url)), service) as Remote<C, 'server'>
  }

  /**
   * A service of this node itself. Calls go straight to the handler, which begins before they return; arguments and
   * results are passed as they are, not copied. Everything else is as for a call from another server.
   */
  service<C extends Ctor>(name: string): Remote<C, 'server'> {
    return serviceRemote(this.#intercepted(this.#local), name) as Remote<C, 'server'>
  }

  /** An entity at a known address, or at several of one node, as for `at`. */
  entityAt<C extends Ctor>(url: string | readonly string[], entityId: string): Remote<C, 'server'> {
    return entityRemote(this.#intercepted(this.#address(url)), entityId) as Remote<C, 'server'>
  }

  /** An entity wherever it is: in this node, else where `locate` says. */
  entity<C extends Ctor>(ref: EntityRef): Remote<C, 'server'> {
    const { clock, defaultTimeoutMs, retry } = this.#host
    const target = new LocatedTarget(ref, {
      locate: this.#locate,
      at: (url) => this.#address(url),
      here: (entityId) => (this.#host.entities.has(entityId) ? this.#local : undefined),
      clock,
      defaultTimeoutMs,
      retry,
    })
    return entityRemote(this.#intercepted(target), ref.id) as Remote<C, 'server'>
  }

  /**
   * Offers an object under a name to every peer, each as far as the table opens it to its kind. Its calls may overlap,
   * unless its class says `static readonly execution = 'serial'`.
   *
   * @param table - Instead of the class's own `static rpc` and those of its components.
   * @returns The undo.
   * @throws TypeError when the table names what is not a method.
   */
  expose<T extends object>(name: string, target: T, table?: RpcTable<T>): () => void {
    return exposeLimited(this.#host.services, name, target, table)
  }

  /**
   * Makes an entity callable by its id, for servers and admins. It has a mailbox: one call at a time, its components'
   * included, unless its class says `static readonly execution = 'reentrant'`. Returns the undo.
   */
  serve(entityId: string, entity: object): () => void {
    encodeEntityId(entityId)
    const { entities } = this.#host
    if (entities.has(entityId)) throw new RangeError(`an entity ${entityId} is served already`)
    checkLimits(exposeByClass(entity))
    const served = { target: entity, mailbox: mailboxOf(entity, 'serial') }
    entities.set(entityId, served)
    return () => {
      if (entities.get(entityId) === served) entities.delete(entityId)
    }
  }

  /** Runs RPC over a link made elsewhere: a session's route, a virtual link. */
  attach(link: Link, options: AttachOptions): RpcPeer {
    this.#mustBeOpen()
    const { trust } = options
    const maxReceiveBytes = options.maxReceiveBytes ?? messageBytesFor(trust)
    if (link.maxMessageBytes !== undefined) link.maxMessageBytes = maxReceiveBytes
    return this.#host.adopt(link, {
      nodeId: options.name ?? link.remote,
      role: '',
      caller: trust,
      url: link.remote,
      isDialled: false,
      maxReceiveBytes,
      maxSendBytes: options.maxSendBytes ?? SERVER_MESSAGE_BYTES,
    })
  }

  /** Called for each peer that has shaken hands, whichever end dialled. Returns the undo. */
  onPeer(listener: (peer: RpcPeer) => void): () => void {
    this.#peerListeners.add(listener)
    return () => void this.#peerListeners.delete(listener)
  }

  /** Takes the virtual links servers open here; set their handlers, or attach them, before returning. One handler. */
  onVirtualLink(handler: VirtualLinkHandler): () => void {
    const host = this.#host
    if (host.virtualLinkHandler !== undefined) throw new Error('onVirtualLink: there is a handler')
    host.virtualLinkHandler = handler
    return () => {
      if (host.virtualLinkHandler === handler) host.virtualLinkHandler = undefined
    }
  }

  /** Refuses new calls, lets running handlers answer for `closeTimeoutMs`, then closes all links. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutDown())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  stats(): RpcStats {
    const methods = this.#methods?.read()
    return { ...this.#host.counters, ...(methods !== undefined && { methods }) }
  }

  async #shutDown(): Promise<void> {
    const host = this.#host
    host.isDraining = true
    const listenersClosed = Promise.all([...this.#listeners].map((listener) => listener.close()))
    this.#connector.close(closedError(this.id))
    await host.drained(this.#closeTimeoutMs)
    this.#local.close()
    for (const address of this.#addresses.values()) address.close()
    for (const peer of host.peers) peer.close(CLOSE.goingAway, 'the node is stopping')
    this.#liveness.stop()
    await listenersClosed
    host.deadlocks.stop()
    host.wheel.stop()
  }

  #address(addresses: string | readonly string[]): AddressTarget {
    // A remote that was passed on brings several as one text.
    const urls = typeof addresses === 'string' ? addresses.split(' ') : addresses
    if (urls.length === 0) throw new RangeError('a node needs an address')
    const url = urls.find((one) => this.#ownUrls.has(one)) ?? urls.join(' ')
    let address = this.#addresses.get(url)
    if (address === undefined) {
      const { clock, wheel, counters, defaultTimeoutMs, retry } = this.#host
      const dialing: Dialing = {
        clock,
        random: this.#random,
        wheel,
        counters,
        defaultTimeoutMs,
        retry,
        dial: (_url, reached, failed) => {
          const dial: Dial = (...args) => this.#connector.dial(...args)
          return urls.length === 1
            ? dial(url, reached, failed)
            : raceDials(urls, clock, dial, reached, failed)
        },
      }
      address = new AddressTarget(url, dialing)
      if (this.#closing !== undefined) address.close()
      this.#addresses.set(url, address)
    }
    return address
  }

  #passingNode(): PassingNode {
    const ownUrl = (): string | undefined => this.#ownUrls.values().next().value
    return {
      get ownUrl() {
        return ownUrl()
      },
      at: (url, service) => this.at(url, service),
      entity: (ref) => this.entity(ref),
      service: (name) => this.service(name),
      intercept: (target) => this.#intercepted(target),
      isServed: (entityId) => this.#host.entities.has(entityId),
    }
  }

  #intercepted(target: CallTarget): CallTarget {
    return this.#host.intercept?.(target) ?? target
  }

  #greeted(peer: RpcPeer): void {
    if (peer.caller === 'server') this.#liveness.watch(peer)
    for (const listener of this.#peerListeners) listener(peer)
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw closedError(this.id)
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

const closedError = (id: string): RpcError => new RpcError('RPC_CLOSED', `the node ${id} is closed`)
