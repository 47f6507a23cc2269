// Runs with kcptun, which has kcp-go inside, over a bad line, as `test/support/recording.ts` recorded them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Kcp } from '../../src/index.ts'
import { openEnvelope } from '../../src/socket/raw/envelope.ts'
import {
  MESSAGES,
  PEERS,
  replay,
  sentBy,
  type Transcript,
  type TranscriptDatagram,
} from '../support/transcript.ts'
import { decode, PUSH } from '../support/wire.ts'
import { SMUX, SmuxReader } from './smux.ts'

const ENVELOPE_BYTES = 20
const WANTED = Buffer.concat(MESSAGES)

const bytesOf = ({ hex }: TranscriptDatagram): Buffer => Buffer.from(hex, 'hex')
/** What came unspoilt. */
const isSound = (datagram: TranscriptDatagram): boolean =>
  openEnvelope(bytesOf(datagram), { envelope: 'crc' }) === ENVELOPE_BYTES

/** Numbers of segments that were sent more than once: at another time, as one that the line doubled was not. */
function sentAgain(datagrams: readonly TranscriptDatagram[]): number[] {
  const times = new Map<number, Set<number>>()
  for (const datagram of datagrams.filter(isSound))
    for (const { cmd, sn, ts } of decode(bytesOf(datagram).subarray(ENVELOPE_BYTES)))
      if (cmd === PUSH) times.set(sn, (times.get(sn) ?? new Set()).add(ts))
  return [...times].filter(([, { size }]) => size > 1).map(([sn]) => sn)
}

describe.each(PEERS)('a recorded run with %s', (peer) => {
  const file = join(import.meta.dirname, 'transcripts', `${peer}-lossy.json`)
  const run = JSON.parse(readFileSync(file, 'utf8')) as Transcript
  const { datagrams } = run
  const by = (from: 'us' | 'them'): TranscriptDatagram[] =>
    datagrams.filter((each) => each.from === from)

  test('was over a line that lost, doubled and spoilt: both ends had to send again', () => {
    expect(datagrams.length).toBeGreaterThan(150)
    expect(sentAgain(by('us')).length).toBeGreaterThan(5)
    // Some of theirs, and of what they sent twice, did not come.
    expect(sentAgain(by('them')).length).toBeGreaterThan(1)
    expect(by('them').some((datagram) => !isSound(datagram))).toBe(true)
  })

  test('gives our end, when the same comes at the same times, the same messages, and makes it send the same bytes at the same times', async () => {
    const { heard, sent } = await replay(peer, run)
    expect(heard.equals(WANTED)).toBe(true)
    expect(sent).toEqual(sentBy(run))
  })

  test.each(['us', 'them'] as const)('what came from %s alone is read to the end', (from) => {
    const heard: Buffer[] = []
    const reader = new SmuxReader()
    const scratch = new Uint8Array(65_536)
    const sound = by(from).filter(isSound)
    const kcp = new Kcp(bytesOf(sound[0]!).readUInt32LE(ENVELOPE_BYTES), () => {}, {
      ...{ stream: true, nodelay: 1, nc: true, sndWnd: 1024, rcvWnd: 1024 },
    })
    // Acknowledges nothing that was not sent: the other direction's segments are sent first.
    kcp.send(new Uint8Array(100 * kcp.mss))
    kcp.flush(0)
    for (const datagram of sound) {
      const bytes = bytesOf(datagram)
      const length = bytes.length - ENVELOPE_BYTES
      expect(kcp.input(bytes, ENVELOPE_BYTES, length, datagram.ms)).toBe(0)
      for (let size = kcp.receive(scratch); size >= 0; size = kcp.receive(scratch))
        for (const { command, data } of reader.push(scratch.slice(0, size)))
          if (command === SMUX.psh) heard.push(Buffer.from(data))
    }
    expect(Buffer.concat(heard).equals(WANTED)).toBe(true)
  })
})
