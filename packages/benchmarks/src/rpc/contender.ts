import type { Load } from './load.ts'

/** What each call carries there and back. */
export const TEXT = 'the quick brown fox jumps over the lazy dog, 64 bytes in all ...'

/** One library, or one way to use it: a server and a client, each in a process of its own. */
export interface Contender {
  /** Starts the server. Returns what the client needs to find it. */
  serve(): Promise<string>
  connect(address: string): Promise<EchoClient>
}

export interface EchoClient {
  /** One call: what a result is checked with, and how work is done unless `work` says otherwise. */
  echo(text: string): Promise<string>
  /** Calls one after the other until the load is over. */
  work?(load: Load): Promise<void>
  /** A figure that only this contender has. */
  probe?(name: string): Promise<number>
}
