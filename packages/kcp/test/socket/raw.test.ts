import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { connectRaw, Kcp, listenRaw, type KcpSession } from '../../src/index.ts'
import { writeU32 } from '../../src/socket/datagram.ts'
import { openEnvelope } from '../../src/socket/raw/envelope.ts'
import { atEachStart, Heard, VirtualNetwork } from '../support/virtual-network.ts'
import { SMUX, SmuxReader } from './smux.ts'

const SERVER = '10.0.0.1 7000'
const at = { host: '10.0.0.1', port: 7000 }
const allow = (): boolean => true

/** The first datagram of a plain peer on that network. */
function first(
  { initialSn }: VirtualNetwork,
  conv: number,
  payload = new Uint8Array(10),
): Uint8Array {
  let datagram = new Uint8Array(0)
  const output = (bytes: Uint8Array, offset: number, length: number): void => {
    datagram = bytes.slice(offset, offset + length)
  }
  const kcp = new Kcp(conv, output, { initialSn })
  kcp.send(payload)
  kcp.flush(0)
  return datagram
}

atEachStart(() => {
  describe('plain peers', () => {
    test.each([
      { envelope: 'none', framing: 'messages' },
      { envelope: 'crc', framing: 'messages' },
      { envelope: 'none', framing: 'stream' },
      { envelope: 'crc', framing: 'stream' },
    ] as const)('$framing with envelope $envelope arrive over a bad line', async (raw) => {
      const network = new VirtualNetwork(3)
      const sessions: KcpSession[] = []
      const heard: Heard[] = []
      const listener = await listenRaw(
        { ...network.on('10.0.0.1'), ...at, ...raw, allow },
        (session) => {
          sessions.push(session)
          heard.push(new Heard(session))
        },
      )
      const near = await connectRaw({ ...network.on('10.0.9.1'), ...at, ...raw })
      Object.assign(network.faults, {
        loss: 0.1,
        duplicate: 0.1,
        jitterMs: 20,
        // Without a checksum of its own a plain peer cannot tell.
        corrupt: raw.envelope === 'crc' ? 0.1 : 0,
      })
      const random = seededRandom(1)
      const sent = Array.from({ length: 300 }, () => random(1 + random.int(3000)))
      for (const message of sent) {
        near.send(message)
        network.run(10)
      }
      await network.settle(near.close())
      network.run(1000)
      const got = heard[0]!.messages
      if (raw.framing === 'messages') expect(got).toEqual(sent)
      else expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true)
      expect(sessions).toHaveLength(1)
      if (raw.envelope === 'crc') expect(listener.counters().dropped.rawChecksum).toBeGreaterThan(0)
      network.run(31_000)
      expect(listener.sessionCount).toBe(0)
      expect(heard[0]!.closes).toMatchObject([{ error: 'KCP_TIMEOUT' }])
    })

    test('begin with a first segment, and only when allowed and below the limits', async () => {
      const network = new VirtualNetwork()
      const asked: unknown[] = []
      const listener = await listenRaw(
        {
          ...network.on('10.0.0.1'),
          ...at,
          maxSessions: 3,
          maxSessionsPerAddress: 2,
          allow: (address, port, conv) => {
            asked.push([address, port, conv])
            return conv !== 13
          },
        },
        () => {},
      )
      const later = first(network, 1)
      writeU32(later, 12, network.initialSn + 1)
      const ack = first(network, 1)
      ack[4] = 82
      const zero = first(network, 1)
      zero.fill(0, 0, 4)
      for (const bytes of [later, ack, zero]) network.inject('10.1.1.1 1', SERVER, bytes)
      expect(listener.counters().dropped.rawNotFirst).toBe(3)
      network.inject('10.1.1.1 1', SERVER, first(network, 13))
      expect(listener.counters().dropped.refused).toBe(1)
      for (let port = 1; port <= 4; port += 1)
        network.inject(`10.1.1.1 ${port}`, SERVER, first(network, 1))
      for (let port = 1; port <= 4; port += 1)
        network.inject(`10.1.1.2 ${port}`, SERVER, first(network, 1))
      expect(listener.counters()).toMatchObject({ opened: 3, dropped: { full: 5 } })
      expect(asked).toContainEqual(['10.1.1.1', 1, 13])
    })

    test('are never replaced by a datagram with another conv from their address', async () => {
      const network = new VirtualNetwork()
      const sessions: KcpSession[] = []
      const options = { ...network.on('10.0.0.1'), ...at, allow }
      const listener = await listenRaw(options, (session) => sessions.push(session))
      network.inject('10.1.1.1 1', SERVER, first(network, 1))
      network.inject('10.1.1.1 1', SERVER, first(network, 2))
      expect(listener.counters().dropped.rawConv).toBe(1)
      expect(sessions.map(({ conv, isOpen }) => [conv, isOpen])).toEqual([[1, true]])
      await network.settle(sessions[0]!.close(), 10_000)
      network.inject('10.1.1.1 1', SERVER, first(network, 1))
      expect(listener.counters().dropped.closedConv).toBe(1)
    })

    test('lose nothing by one bad datagram, whatever is bad about it: no session closes, and no listener', async () => {
      const network = new VirtualNetwork()
      const sessions: KcpSession[] = []
      const heard: Heard[] = []
      const listener = await listenRaw(
        { ...network.on('10.0.0.1'), ...at, rcvWnd: 128, allow },
        (session) => {
          sessions.push(session)
          heard.push(new Heard(session))
        },
      )
      const near = await connectRaw({ ...network.on('10.0.9.1'), ...at, rcvWnd: 128 })
      const heardNear = new Heard(near)
      near.send(new Uint8Array(10))
      network.run(100)
      const client = `10.0.9.1 ${sessions[0]!.remotePort}`
      const good = first(network, near.conv, new Uint8Array(40))
      const bad: Uint8Array[] = Array.from({ length: good.length }, (_, end) => good.slice(0, end))
      const changed = (offset: number, ...bytes: number[]): void => {
        const copy = good.slice()
        copy.set(bytes, offset)
        bad.push(copy)
      }
      changed(0, good[0]! ^ 1)
      for (const command of [0, 80, 85, 255]) changed(4, command)
      for (const fragment of [128, 255]) changed(4, 81, fragment)
      const una = new Uint8Array(4)
      writeU32(una, 0, network.initialSn + 99)
      changed(16, ...una)
      changed(20, 41)
      changed(20, 255, 255, 255, 255)
      bad.push(Buffer.concat([good, good.subarray(0, 24), new Uint8Array(1400)]))
      bad.push(new Uint8Array(2000))
      const before = listener.counters().dropped
      for (const bytes of bad) {
        network.inject(client, SERVER, bytes.slice())
        network.inject(SERVER, client, bytes.slice())
      }
      network.run(1000)
      expect(listener.counters().dropped).not.toEqual(before)
      expect([...heard[0]!.closes, ...heardNear.closes]).toEqual([])
      for (let i = 1; i <= 5; i += 1) {
        near.send(new Uint8Array(i))
        sessions[0]!.send(new Uint8Array(i))
      }
      network.run(1000)
      const lengths = (list: readonly Uint8Array[]): number[] => list.map(({ length }) => length)
      expect(lengths(heard[0]!.messages)).toEqual([10, 1, 2, 3, 4, 5])
      expect(lengths(heardNear.messages)).toEqual([1, 2, 3, 4, 5])
      const other = await connectRaw({ ...network.on('10.0.9.2'), ...at })
      other.send(new Uint8Array(7))
      network.run(100)
      expect(sessions).toHaveLength(2)
    })

    test.each([
      { mtu: 10 },
      { mtu: 49 },
      { mtu: 1501 },
      { mtu: 9000 },
      { mtu: 1400.5 },
      { mtu: 1481, envelope: 'crc' as const },
      { envelope: 'CRC' as 'crc' },
      { framing: 'frames' as 'stream' },
      { interval: 0 },
      { nodelay: 3 },
      { resend: 65_536 },
      { sndWnd: 0 },
      { idleTimeoutMs: 2 ** 31 },
    ])('options out of range are refused before there is a socket: %o', async (bad) => {
      const openSocket = (): never => {
        throw new Error('opened')
      }
      const options = { ...at, ...bad, openSocket }
      await expect(listenRaw({ ...options, allow }, () => {})).rejects.toThrow(RangeError)
      await expect(connectRaw(options)).rejects.toThrow(RangeError)
    })

    test.each([
      { mtu: 50 },
      { mtu: 1500 },
      { mtu: 50, envelope: 'crc' as const },
      { mtu: 1480, envelope: 'crc' as const },
    ])('arrive with the least and the largest datagrams: %o', async (raw) => {
      const network = new VirtualNetwork()
      const heard: Heard[] = []
      const options = { ...network.on('10.0.0.1'), ...at, ...raw, allow }
      await listenRaw(options, (session) => heard.push(new Heard(session)))
      const near = await connectRaw({ ...network.on('10.0.9.1'), ...at, ...raw })
      network.isRecording = true
      near.send(new Uint8Array(3000))
      network.run(500)
      expect(heard[0]!.messages.map(({ length }) => length)).toEqual([3000])
      const largest = Math.max(...network.seen.map(({ bytes }) => bytes.length))
      expect(largest).toBe(raw.mtu + (raw.envelope === undefined ? 0 : 20))
    })

    test('of a /64 of IPv6 are counted as one host', async () => {
      const network = new VirtualNetwork()
      const options = { ...network.on('10.0.0.1'), ...at, maxSessionsPerAddress: 2, allow }
      const listener = await listenRaw(options, () => {})
      for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'])
        network.inject(`${address} 1`, SERVER, first(network, 1))
      expect(listener.counters()).toMatchObject({ opened: 3, dropped: { full: 1 } })
    })

    test('that nobody took, as `onSession` threw, are given up, and what it threw is thrown', async () => {
      const network = new VirtualNetwork()
      const options = { ...network.on('10.0.0.1'), ...at, allow }
      const listener = await listenRaw(options, () => {
        throw new Error('not now')
      })
      expect(() => network.inject('10.1.1.1 1', SERVER, first(network, 1))).toThrow('not now')
      expect(listener.sessionCount).toBe(0)
    })

    test('any bytes are taken without a throw, and make no session', async () => {
      const network = new VirtualNetwork()
      const random = seededRandom(5)
      const options = { ...network.on('10.0.0.1'), ...at, allow }
      for (const envelope of ['none', 'crc'] as const) {
        const listener = await listenRaw({ ...options, envelope, port: 7100 }, () => {})
        for (let i = 0; i < 50_000; i += 1) {
          const bytes = random(random.int(80))
          if (random.chance(0.5)) bytes[4] = 81 + random.int(4)
          listener.deliver(bytes, `10.1.${random.int(4)}.1`, 1 + random.int(3))
        }
        expect(listener.counters().opened).toBe(0)
        await network.settle(listener.close())
      }
    })
  })
})

interface Transcript {
  readonly peer: string
  readonly datagrams: readonly {
    readonly from: 'us' | 'them'
    readonly ms: number
    readonly hex: string
  }[]
}
const transcript = (name: string): Transcript =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, 'transcripts', `${name}.json`), 'utf8'),
  ) as Transcript
const WANTED = `${Array.from({ length: 5 }, (_, i) => `message ${i} `).join('')}${'long '.repeat(800)}`

describe('recorded runs with kcptun, which has kcp-go inside', () => {
  test.each(['kcptun-server', 'kcptun-client'])(
    '%s: both directions are read to the end',
    (name) => {
      const { datagrams } = transcript(name)
      const conv = Buffer.from(datagrams[0]!.hex, 'hex').readUInt32LE(20)
      for (const from of ['us', 'them'] as const) {
        const texts: string[] = []
        const reader = new SmuxReader()
        const scratch = new Uint8Array(65_536)
        const kcp = new Kcp(conv, () => {}, { stream: true, rcvWnd: 1024 })
        // Acknowledges nothing that was not sent: the other direction's segments are sent first.
        kcp.send(new Uint8Array(40 * kcp.mss))
        kcp.setNoDelay(1, 10, 2, true)
        kcp.setWindowSize(1024)
        kcp.flush(0)
        for (const datagram of datagrams.filter((each) => each.from === from)) {
          const bytes = Buffer.from(datagram.hex, 'hex')
          const start = openEnvelope(bytes, { envelope: 'crc' })
          expect(start).toBe(20)
          expect(kcp.input(bytes, start, bytes.length - start, datagram.ms)).toBe(0)
          for (let size = kcp.receive(scratch); size >= 0; size = kcp.receive(scratch))
            for (const { command, data } of reader.push(scratch.slice(0, size)))
              if (command === SMUX.psh) texts.push(Buffer.from(data).toString())
        }
        expect(texts.join('')).toBe(WANTED)
      }
    },
  )

  test('our listener answers the recorded client with what it wants', async () => {
    const network = new VirtualNetwork()
    const options = { ...network.on('10.0.0.1'), ...at, allow }
    const texts: string[] = []
    await listenRaw({ ...options, envelope: 'crc', framing: 'stream', rcvWnd: 1024 }, (session) => {
      const reader = new SmuxReader()
      session.onMessage = (bytes) => {
        for (const { command, data } of reader.push(bytes))
          if (command === SMUX.psh) texts.push(Buffer.from(data).toString())
        // So that what the recorded client acknowledges has been sent.
        session.send(new Uint8Array(20_000))
      }
    })
    network.isRecording = true
    for (const { from, ms, hex } of transcript('kcptun-client').datagrams) {
      network.time.run(ms)
      if (from === 'them') network.inject('10.1.1.1 999', SERVER, Buffer.from(hex, 'hex'))
    }
    network.run(100)
    expect(texts.join('')).toBe(WANTED)
    expect(network.seen.length).toBeGreaterThan(5)
    expect(network.seen.every(({ bytes }) => openEnvelope(bytes, { envelope: 'crc' }) === 20)).toBe(
      true,
    )
  })
})
