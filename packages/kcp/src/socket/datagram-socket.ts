import type { KcpCounters } from './counters.ts'

/** A UDP socket as this package uses it. `openUdpSocket` makes the real one; tests and relays bring their own. */
export interface DatagramSocket {
  /** Where it is bound. */
  readonly address: string
  readonly port: number
  /** Of one that is connected: the address that the name it was given stands for. Left out: as given. */
  readonly remoteAddress?: string | undefined
  /**
   * Sends `bytes[from, end)`. The bytes may be used for something else as soon as this returns.
   *
   * @returns `false`: dropped, the system's queue is full.
   */
  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean
  /** The bytes are the receiver's to keep and to change. Never called while a `send` is under way. */
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void
  /** Nobody listens there, the network is gone: advice, never an end. */
  onError: (error: Error) => void
  /** Of sockets that `openUdpSocket` opened, where the system has such a thing. Others leave it out. */
  readonly siblings?: Siblings | undefined
  /** Room for received datagrams that the system gave, when it can be known. */
  readonly receiveBufferBytes?: number | undefined
  close(): Promise<void>
  /** The process need not live for this one. Left out: it does. */
  unref?(): void
}

/** Opens more sockets on a port; also when the first is closed. */
export interface Siblings {
  /** One to which the system gives what comes from that address, with a queue of its own. */
  connected(address: string, port: number): Promise<DatagramSocket>
  /** One for what comes from anywhere, as the first. */
  plain(): Promise<DatagramSocket>
  /** As `plain`, but read by a thread of its own, which keeps back what no listener needs to see. */
  scrubbed(rules: ScrubRules): Promise<ScrubbedSocket>
}

/** What a thread that reads a flooded port must know. */
export interface ScrubRules {
  readonly maxRetriesPerSecond: number
  /** Of the tokens it makes. */
  readonly tokenKey: Uint8Array
  /** Of the listener's clock. */
  readonly nowMs: number
  /** Conversations whose datagrams pass. Left out: all do. */
  readonly convs?: Uint32Array | undefined
}

export interface ScrubbedSocket extends DatagramSocket {
  /** What the thread answered and kept back since it said so last. */
  onCounters: (counters: KcpCounters) => void
  /** The thread has ended by itself: nobody reads the port. */
  onLost: (error: Error) => void
  /** Sets the thread's clock, which tokens live by. */
  setNow(nowMs: number): void
}

export interface DatagramSocketOptions {
  /** Binds here; a client binds to any port. */
  readonly bind?: { readonly host: string; readonly port: number }
  /** Talks to this address only; a name is looked up. */
  readonly connect?: { readonly host: string; readonly port: number }
  /** Lets several processes bind one port; the system spreads clients over them. */
  readonly reusePort: boolean
  /** Room the system is asked for, in bytes. */
  readonly bufferBytes: number
}

export type OpenDatagramSocket = (options: DatagramSocketOptions) => Promise<DatagramSocket>
