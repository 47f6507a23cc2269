import type { ByteReader } from './byte-reader.ts'
import type { CallTarget, SentOptions } from './call-target.ts'
import type { BodyDecoder } from './codec.ts'
import type { Link } from './link.ts'
import type { RpcPeer } from './peer.ts'
import type { Route } from './wire.ts'

/** A stream among the arguments of a call, at the end that reads it. */
export interface ArgumentStream {
  /** The call is over: ends it, unless somebody has begun to read. */
  drop(): void
}

/** One end of a link, as what is passed over it sees it. */
export interface PassingEnd {
  readonly peer: RpcPeer
  readonly link: Link
  readonly decoder: BodyDecoder
  /** Asked for later: the calls of this end need what is made here. */
  outgoing(): CallTarget & { nextId(): number }
  readonly maxSendBytes: number
}

/**
 * What carries remotes and streams inside the arguments and results of one link. A host without it sends plain data
 * alone.
 */
export interface Passing {
  /** For arguments. */
  readonly decoder: BodyDecoder
  /** For results and items. */
  readonly resultDecoder: BodyDecoder
  /** The streams among the arguments that were decoded last, once. */
  takeStreams(): readonly ArgumentStream[] | undefined
  /** It sends no streams. */
  readonly isIdle: boolean
  /** Whether a stream of that number is sent. */
  isSending(id: number): boolean
  /** An argument is more than data. */
  hasWork(args: readonly unknown[]): boolean
  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown>
  /** Encodes something that may hold remotes. */
  encode<T>(encode: () => T): T
  // Frames about streams that are arguments; each says whether it was well-formed.
  onItem(reader: ByteReader): boolean
  onEnd(flags: number, reader: ByteReader): boolean
  onCredit(reader: ByteReader): boolean
  onCancel(id: number): void
  onDrain(): void
  close(why: string): void
}
