/** A UDP socket as this package uses it. `openUdpSocket` makes the real one; tests and relays bring their own. */
export interface DatagramSocket {
  /** Where it is bound. */
  readonly address: string
  readonly port: number
  /**
   * Sends `bytes[from, end)`. The bytes may be used for something else as soon as this returns.
   *
   * @returns `false`: dropped, the system's queue is full.
   */
  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean
  /** The bytes are the receiver's to keep and to change. */
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void
  /** Nobody listens there, the network is gone: advice, never an end. */
  onError: (error: Error) => void
  /**
   * Opens a second socket on this port, to which the system gives what comes from that address, with a queue
   * of its own. Left out where there is no such thing.
   */
  openFor?(address: string, port: number): Promise<DatagramSocket>
  /** Room for received datagrams that the system gave, when it can be known. */
  readonly receiveBufferBytes?: number | undefined
  close(): Promise<void>
}

export interface DatagramSocketOptions {
  /** Binds here; a client binds to any port. */
  readonly bind?: { readonly host: string; readonly port: number }
  /** Talks to this address only. */
  readonly connect?: { readonly host: string; readonly port: number }
  /** Lets several processes bind one port; the system spreads clients over them. */
  readonly reusePort: boolean
  /** Room the system is asked for, in bytes. */
  readonly bufferBytes: number
}

export type OpenDatagramSocket = (options: DatagramSocketOptions) => Promise<DatagramSocket>
