// Many clients on few sockets: what loads a listener should cost less than the listener.
import type { DatagramSocket, OpenDatagramSocket } from '../../src/socket/datagram-socket.ts'
import { HELLO_NONCE_AT, KIND, NONCE_BYTES, readConv, readU32 } from '../../src/socket/datagram.ts'
import { openUdpSocket } from '../../src/socket/udp-socket.ts'

const NONCE_AT_ANSWER = 1
const CONV_AT_ACCEPT = 9

const nonceOf = (bytes: Uint8Array, at: number): string =>
  bytes.subarray(at, at + NONCE_BYTES).join()

/** One of the clients: a part of a real socket, found by the nonce of its hello, then by its `conv`. */
class Share implements DatagramSocket {
  readonly address: string
  readonly port: number
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void = () => {}
  onError: (error: Error) => void = () => {}
  nonce = ''
  conv = 0
  readonly #shared: SharedSocket

  constructor(shared: SharedSocket) {
    this.#shared = shared
    this.address = shared.socket.address
    this.port = shared.socket.port
  }

  send(bytes: Uint8Array, from: number, end: number, port: number, address: string): boolean {
    if (this.nonce === '') {
      this.nonce = nonceOf(bytes, from + HELLO_NONCE_AT)
      this.#shared.byNonce.set(this.nonce, this)
    }
    return this.#shared.socket.send(bytes, from, end, port, address)
  }

  close(): Promise<void> {
    this.#shared.byNonce.delete(this.nonce)
    this.#shared.byConv.delete(this.conv)
    return Promise.resolve()
  }
}

class SharedSocket {
  readonly socket: DatagramSocket
  readonly byNonce = new Map<string, Share>()
  /** By `conv | 0`, as in the listener. */
  readonly byConv = new Map<number, Share>()

  constructor(socket: DatagramSocket) {
    this.socket = socket
    socket.onDatagram = (bytes, address, port) =>
      this.#find(bytes)?.onDatagram(bytes, address, port)
  }

  #find(bytes: Uint8Array): Share | undefined {
    if (bytes[0]! >= KIND.kcp) return this.byConv.get(readConv(bytes) | 0)
    const share = this.byNonce.get(nonceOf(bytes, NONCE_AT_ANSWER))
    if (share !== undefined && bytes[0] === KIND.accept) {
      share.conv = readU32(bytes, CONV_AT_ACCEPT) | 0
      this.byConv.set(share.conv, share)
    }
    return share
  }
}

/** Deals clients out over `count` sockets that talk to one address. */
export function sharedSockets(count: number, bufferBytes: number): OpenDatagramSocket {
  const sockets: Promise<SharedSocket>[] = []
  let next = 0
  return async (options) => {
    const index = next++ % count
    sockets[index] ??= openUdpSocket({ ...options, bufferBytes }).then(
      (socket) => new SharedSocket(socket),
    )
    return new Share(await sockets[index])
  }
}
