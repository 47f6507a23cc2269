// Our end of a run with kcptun, on a stepped clock: once for real, to be recorded, and then as often as one likes.
import { connectRaw, listenRaw } from '../../src/index.ts'
import { SMUX, SmuxReader, encodeSmux } from '../socket/smux.ts'
import { VirtualNetwork } from './virtual-network.ts'

/** The programs of kcptun: one of them is the other end. */
export const PEERS = ['kcptun-server', 'kcptun-client'] as const
export type Peer = (typeof PEERS)[number]

export interface Transcript {
  readonly peer: string
  readonly datagrams: readonly TranscriptDatagram[]
  /** How long our end ran. */
  readonly endMs: number
}
export interface TranscriptDatagram {
  readonly from: 'us' | 'them'
  readonly ms: number
  readonly hex: string
}

/** What both ends of a lossy run say, and say back. */
export const MESSAGES: readonly Buffer[] = Array.from({ length: 60 }, (_, index) =>
  Buffer.alloc(index % 12 === 11 ? 2000 : 10 + ((index * 37) % 140), `message ${index} `),
)
export const INTERVAL_MS = 20

/** What stands before the checksum and means nothing. */
const NONCE_BYTES = 16

const US = { host: '10.0.0.1', port: 7000 }
const THEM = { host: '10.0.0.2', port: 7000 }
const STREAM = 3
/** How to talk to kcptun as the tests start it. */
export const KCPTUN = {
  envelope: 'crc',
  framing: 'stream',
  mtu: 1330,
  sndWnd: 1024,
  rcvWnd: 1024,
} as const

/** Our end of such a run. What it does is decided by what comes, and when. */
export class OurEnd {
  readonly network = new VirtualNetwork(1, 0)
  /** What it has read so far. */
  readonly heard: Buffer[] = []
  #ours = ''

  /** @param onDatagram - Gets what it sends. */
  static async start(
    peer: Peer,
    onDatagram: (bytes: Uint8Array, ms: number) => void = () => {},
  ): Promise<OurEnd> {
    const end = new OurEnd()
    const { network } = end
    network.faults.delayMs = 0
    const far = network.open(THEM.host, { bind: THEM, reusePort: false, bufferBytes: 1 })
    far.onDatagram = (bytes, address, port) => {
      end.#ours = `${address} ${port}`
      onDatagram(bytes, network.time.now())
    }
    if (peer === 'kcptun-server') await end.#connect()
    else await end.#listen()
    return end
  }

  /** Takes a datagram of the other end that comes at that time. */
  take(bytes: Uint8Array, ms: number): void {
    this.network.time.run(ms)
    this.network.inject(`${THEM.host} ${THEM.port}`, this.#ours, bytes)
  }

  async #connect(): Promise<void> {
    const { network } = this
    const on = network.on(US.host)
    const session = await connectRaw({ ...on, ...KCPTUN, ...THEM, conv: 0x5c_a1_ab_1e })
    const reader = new SmuxReader()
    session.onMessage = (bytes) => {
      for (const { command, data } of reader.push(bytes))
        if (command === SMUX.psh) this.heard.push(Buffer.from(data))
    }
    session.send(encodeSmux(SMUX.syn, STREAM))
    for (const [index, message] of MESSAGES.entries())
      network.clock.setTimer(index * INTERVAL_MS, () => {
        session.send(encodeSmux(SMUX.psh, STREAM, message))
      })
  }

  async #listen(): Promise<void> {
    const on = this.network.on(US.host)
    this.#ours = `${US.host} ${US.port}`
    await listenRaw({ ...on, ...KCPTUN, ...US, allow: () => true }, (session) => {
      const reader = new SmuxReader()
      session.onMessage = (bytes) => {
        for (const { command, stream, data } of reader.push(bytes)) {
          if (command !== SMUX.psh) continue
          this.heard.push(Buffer.from(data))
          session.send(encodeSmux(SMUX.psh, stream, data))
        }
      }
    })
  }
}

const lineOf = (bytes: Uint8Array, ms: number): string =>
  `${ms} ${Buffer.from(bytes).toString('hex', NONCE_BYTES)}`

/** What our end sent in a run: when, and the bytes behind the nonce. */
export const sentBy = ({ datagrams }: Transcript): string[] =>
  datagrams
    .filter(({ from }) => from === 'us')
    .map(({ ms, hex }) => lineOf(Buffer.from(hex, 'hex'), ms))

/** What our end reads and sends when the same comes at the same times as in a run. */
export async function replay(
  peer: Peer,
  { datagrams, endMs }: Transcript,
): Promise<{ readonly heard: Buffer; readonly sent: readonly string[] }> {
  const sent: string[] = []
  const end = await OurEnd.start(peer, (bytes, ms) => sent.push(lineOf(bytes, ms)))
  for (const { from, ms, hex } of datagrams)
    if (from === 'them') end.take(Buffer.from(hex, 'hex'), ms)
  end.network.time.run(endMs)
  return { heard: Buffer.concat(end.heard), sent }
}
