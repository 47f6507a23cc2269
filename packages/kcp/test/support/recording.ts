// Runs of our end with kcptun, as they happen. What is kept of them in test/socket/transcripts/*-lossy.json is written by
// KEEP_TRANSCRIPTS=1 pnpm vitest run packages/kcp/test/socket/interop.services.test.ts
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort, seededRandom, UdpFaultProxy } from '@rts/testing'
import { Kcptun } from '../socket/kcptun.ts'
import {
  INTERVAL_MS,
  MESSAGES,
  OurEnd,
  type Peer,
  type Transcript,
  type TranscriptDatagram,
} from './transcript.ts'

const FOLDER = join(import.meta.dirname, '..', 'socket', 'transcripts')
const LIMIT_MS = 30_000
/** How long the line is watched after the last message. */
const AFTERWARDS_MS = 300
const FAULTS = {
  lossProbability: 0.15,
  duplicateProbability: 0.04,
  reorderProbability: 0.05,
  corruptProbability: 0.04,
  delayMs: 5,
  jitterMs: 5,
}
const WANTED = Buffer.concat(MESSAGES).length

async function tcpEcho(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as { port: number }).port }
}

/** Our end, which steps with the real time, on a real socket that talks to `target`, or to whoever talks to it. */
class LiveEnd {
  readonly datagrams: TranscriptDatagram[] = []
  readonly socket = createSocket('udp4')
  readonly #began = performance.now()
  #target: { readonly port: number } | undefined
  #end: OurEnd | undefined

  static async start(peer: Peer, target?: { readonly port: number }): Promise<LiveEnd> {
    const live = new LiveEnd()
    live.#target = target
    live.socket.bind(0, '127.0.0.1')
    await once(live.socket, 'listening')
    const end = await OurEnd.start(peer, (bytes, ms) => {
      live.#keep('us', ms, bytes)
      live.socket.send(bytes, live.#target!.port, '127.0.0.1')
    })
    live.#end = end
    live.socket.on('message', (bytes, from) => {
      live.#target ??= from
      const ms = live.now()
      // Before it is taken: what it makes our end send comes after it.
      end.network.time.run(ms)
      live.#keep('them', ms, bytes)
      end.take(bytes, ms)
    })
    return live
  }

  now(): number {
    return Math.floor(performance.now() - this.#began)
  }

  /** Steps until so many bytes have been heard, and for a while after that. */
  async run(heard: () => number): Promise<number> {
    const end = this.#end!
    let untilMs = LIMIT_MS
    while (this.now() < untilMs) {
      end.network.time.run(this.now())
      if (untilMs === LIMIT_MS && heard() === WANTED) untilMs = this.now() + AFTERWARDS_MS
      await pause(1)
    }
    if (heard() !== WANTED) throw new Error(`${heard()} of ${WANTED} bytes came`)
    return end.network.time.now()
  }

  heard(): number {
    return Buffer.concat(this.#end!.heard).length
  }

  #keep(from: 'us' | 'them', ms: number, bytes: Uint8Array): void {
    this.datagrams.push({ from, ms, hex: Buffer.from(bytes).toString('hex') })
  }
}

async function lossy(port: number, seed: number): Promise<UdpFaultProxy> {
  const target = { host: '127.0.0.1', port }
  const proxy = await UdpFaultProxy.listen({ target, random: seededRandom(seed) })
  proxy.set(FAULTS)
  return proxy
}

async function recordServer(): Promise<Transcript> {
  const echo = await tcpEcho()
  const port = await freePort()
  await using _server = await Kcptun.server(port, echo.port)
  await using proxy = await lossy(port, 3)
  const live = await LiveEnd.start('kcptun-server', proxy)
  const endMs = await live.run(() => live.heard())
  live.socket.close()
  echo.server.close()
  return transcriptOf('kcptun-server', live, endMs)
}

async function recordClient(): Promise<Transcript> {
  const live = await LiveEnd.start('kcptun-client')
  await using proxy = await lossy(live.socket.address().port, 5)
  const port = await freePort()
  await using _client = await Kcptun.client(port, proxy.port)
  const tcp = connectTcp(port, '127.0.0.1').setNoDelay(true)
  tcp.on('error', () => {})
  let echoed = 0
  tcp.on('data', ({ length }) => (echoed += length))
  const sending = (async () => {
    for (const message of MESSAGES) {
      tcp.write(message)
      await pause(INTERVAL_MS)
    }
  })()
  const endMs = await live.run(() => echoed)
  await sending
  tcp.destroy()
  live.socket.close()
  return transcriptOf('kcptun-client', live, endMs)
}

function transcriptOf(peer: Peer, { datagrams }: LiveEnd, endMs: number): Transcript {
  return { peer: `${peer} 20210922 on a bad line: ${JSON.stringify(FAULTS)}`, endMs, datagrams }
}

/** A run with kcptun through a line that loses, doubles, reorders and spoils. */
export const record = (peer: Peer): Promise<Transcript> =>
  peer === 'kcptun-server' ? recordServer() : recordClient()

export function keep(peer: Peer, transcript: Transcript): void {
  writeFileSync(join(FOLDER, `${peer}-lossy.json`), `${JSON.stringify(transcript, null, 2)}\n`)
}
