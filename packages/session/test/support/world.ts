import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import {
  ClientSession,
  SessionServer,
  type ClientSessionOptions,
  type ServerSession,
  type SessionServerOptions,
  type TokenSealer,
} from '../../src/index.ts'
import { Wire, type WireOptions } from './wire.ts'

/** Seals by a keyed checksum: no secret, but any change of a token is noticed. */
export function testSealer(key = 7): TokenSealer {
  const sum = (bytes: Uint8Array): number =>
    bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5 ^ key)
  return {
    seal(record) {
      const token = new Uint8Array(record.length + 4)
      token.set(record)
      new DataView(token.buffer).setUint32(record.length, sum(record))
      return token
    },
    open(token) {
      if (token.length < 4) throw new Error('this sealer throws at short tokens')
      const record = token.slice(0, -4)
      const view = new DataView(token.buffer, token.byteOffset)
      return view.getUint32(record.length) === sum(record) ? record : undefined
    },
  }
}

/** Everything that happened to a session, in order, as short texts. */
export type Log = string[]

export interface WorldOptions extends Partial<SessionServerOptions> {
  readonly seed?: number
  readonly wire?: WireOptions
}

/** A server, and players on wires of one stepped clock. */
export class World {
  readonly clock: SteppedClock = new SteppedClock()
  readonly random: SeededRandom
  readonly server: SessionServer
  readonly errors: unknown[] = []
  readonly wireOptions: WireOptions

  constructor({ seed = 1, wire = {}, ...options }: WorldOptions = {}) {
    this.random = seededRandom(seed)
    this.wireOptions = { random: this.random.fork(), ...wire }
    this.server = this.newServer(options)
  }

  newServer(options: Partial<SessionServerOptions> = {}): SessionServer {
    return new SessionServer({
      clock: this.clock,
      random: this.random.fork(),
      authenticate: (ticket) => ({ account: ticket }),
      tokens: testSealer(),
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  wire(options: WireOptions = {}): Wire {
    return new Wire(this.clock, { ...this.wireOptions, ...options })
  }

  client(ticket = 'ada', options: Partial<ClientSessionOptions> = {}): ClientSession {
    return new ClientSession({
      clock: this.clock,
      random: this.random.fork(),
      ticket: () => ticket,
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  /** Connects a client to a server over a new wire. */
  attach(client: ClientSession, options: WireOptions = {}, server = this.server): Wire {
    const wire = this.wire(options)
    server.accept(wire.server)
    client.attach(wire.client)
    return wire
  }

  /** A client that is open, with the route `game` bound. */
  async open(ticket = 'ada', options: Partial<ClientSessionOptions> = {}): Promise<Open> {
    const client = this.client(ticket, options)
    const clientLog = logClient(client)
    const sessions: ServerSession[] = []
    const undo = this.server.on('session', (session) => {
      sessions.push(session)
      session.setRoute('game', 'bound')
    })
    const wire = this.attach(client)
    const { delayMs = 0 } = this.wireOptions
    await this.clock.advance(50 + delayMs * 4)
    undo()
    const session = sessions[0]
    if (session === undefined) throw new Error(`no session: ${clientLog.join(', ')}`)
    return { client, session, wire, clientLog, serverLog: logServer(session) }
  }
}

export interface Open {
  client: ClientSession
  session: ServerSession
  wire: Wire
  clientLog: Log
  serverLog: Log
}

export function logClient(client: ClientSession, log: Log = []): Log {
  client.on('opened', () => log.push('opened'))
  client.on('resumed', ({ recovered, lost }) => log.push(`resumed ${recovered} lost ${lost}`))
  client.on('lost', ({ code }) => log.push(`lost ${code}`))
  client.on('closed', ({ code, reason, kind }) => log.push(`closed ${code} ${kind} ${reason}`))
  client.on('route', ({ name, epoch, state }) => log.push(`route ${name} ${epoch} ${state}`))
  client.on('message', ({ route, payload, lane }) => log.push(`${route} ${lane} ${text(payload)}`))
  client.on('drain', () => log.push('drain'))
  return log
}

export function logServer(session: ServerSession, log: Log = []): Log {
  session.on('resumed', ({ recovered, lost }) => log.push(`resumed ${recovered} lost ${lost}`))
  session.on('lost', ({ code, linkEpoch }) => log.push(`lost ${code} of link ${linkEpoch}`))
  session.on('closed', ({ code, reason, kind }) => log.push(`closed ${code} ${kind} ${reason}`))
  session.on('message', ({ route, payload, lane }) => log.push(`${route} ${lane} ${text(payload)}`))
  session.on('drain', () => log.push('drain'))
  return log
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value)
}
