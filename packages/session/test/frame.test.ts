import { seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeClientFrame, decodeServerFrame } from '../src/frame-decoder.ts'
import { encodeData, stampAcks } from '../src/frame-encoder.ts'
import { encodeFrame } from '../src/server-frame-encoder.ts'
import {
  FRAME_OVERHEAD_BYTES,
  TYPE,
  type ClientFrame,
  type Frame,
  type ServerFrame,
  type Terms,
} from '../src/frame.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (digits: string): Uint8Array =>
  new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'))

const terms: Terms = {
  heartbeatMs: 5000,
  heartbeatTimeoutMs: 12_500,
  resumeWindowMs: 60_000,
  maxFrameBytes: 16_384,
  maxServerFrameBytes: 1_048_576,
  messagesPerSecond: 60,
  messageBurst: 120,
  bytesPerSecond: 32_768,
  byteBurst: 131_072,
}
const termsHex = '88130000d430000060ea000000400000000010003c00000078000000 0080000000000200'
const acks = { ack: 0x01020304, stateAck: 0x0506 }
const acksHex = '040302010605'

/** The protocol's first promise: these bytes mean these frames, for ever, in version 1. */
const golden: { by: 'client' | 'server' | 'both'; frame: Frame; bytes: string }[] = [
  {
    by: 'client',
    frame: {
      type: 'hello',
      minProtocol: 1,
      maxProtocol: 2,
      codecs: ['msgpack'],
      compressions: ['none'],
      instance: unhex('0011223344556677'),
      attempt: 0x0a0b0c0d,
      ticket: 'tick',
    },
    bytes: '01525453 0102 01076d73677061636b 01046e6f6e65 0011223344556677 0d0c0b0a 04007469636b',
  },
  {
    by: 'server',
    frame: {
      type: 'welcome',
      protocol: 1,
      codec: 'msgpack',
      compression: 'none',
      sessionId: 'ab',
      token: unhex('c0ffee'),
      terms,
    },
    bytes: '0201 076d73677061636b 046e6f6e65 026162 0300c0ffee' + termsHex,
  },
  {
    by: 'client',
    frame: {
      type: 'resume',
      protocol: 1,
      codec: 'msgpack',
      compression: 'none',
      sessionId: 'ab',
      token: unhex('c0ffee'),
      attempt: 2,
      lastReceived: 0xfffffffe,
      reset: true,
      routeEpoch: 300,
    },
    bytes: '03525453 01 076d73677061636b 046e6f6e65 026162 0300c0ffee 02000000 feffffff 01 ac02',
  },
  {
    by: 'server',
    frame: { type: 'resumed', token: unhex('c0ffee'), recovered: true, lastReceived: 7, terms },
    bytes: '04 0300c0ffee 03 07000000' + termsHex,
  },
  {
    by: 'server',
    frame: {
      type: 'resumed',
      token: unhex('c0ffee'),
      recovered: false,
      lastReceived: undefined,
      terms,
    },
    bytes: '04 0300c0ffee 00 00000000' + termsHex,
  },
  { by: 'both', frame: { type: 'bye', code: 4202, reason: 'out' }, bytes: '056a10036f7574' },
  {
    by: 'both',
    frame: { type: 'reliable', ...acks, seq: 0x80000001, epoch: 5, payload: unhex('beef') },
    bytes: '10' + acksHex + '01000080 05 beef',
  },
  {
    by: 'both',
    frame: { type: 'state', ...acks, epoch: 0xffffffff, payload: unhex('beef') },
    bytes: '11' + acksHex + 'ffffffff0f beef',
  },
  {
    by: 'server',
    frame: { type: 'route', ...acks, seq: 2, epoch: 128, state: 'lost', name: 'game' },
    bytes: '12' + acksHex + '02000000 8001 02 0467616d65',
  },
  { by: 'both', frame: { type: 'ack', ...acks }, bytes: '20' + acksHex },
  { by: 'both', frame: { type: 'ping', ...acks, time: 9 }, bytes: '21' + acksHex + '09000000' },
  { by: 'both', frame: { type: 'pong', ...acks, time: 9 }, bytes: '22' + acksHex + '09000000' },
  {
    by: 'server',
    frame: { type: 'token', ...acks, token: unhex('c0ffee') },
    bytes: '23' + acksHex + '0300c0ffee',
  },
]

describe.each(golden)('$frame.type ($by)', ({ by, frame, bytes }) => {
  test('is written as these bytes', () => {
    expect(hex(encodeFrame(frame))).toBe(hex(unhex(bytes)))
  })

  test('is read from them by those it is meant for, and by nobody else', () => {
    const decoders = { client: decodeClientFrame, server: decodeServerFrame }
    for (const [name, decode] of Object.entries(decoders)) {
      if (by === 'both' || by === name) expect(decode(unhex(bytes))).toEqual(frame)
      else expect(decode(unhex(bytes)).type).toBe('malformed')
    }
  })

  test('is malformed when cut short, and when something follows it', () => {
    const decode = by === 'client' ? decodeClientFrame : decodeServerFrame
    const whole = unhex(bytes)
    const hasPayload = frame.type === 'reliable' || frame.type === 'state'
    for (let length = 0; length < whole.length; length++) {
      if (hasPayload && length >= whole.length - 2) continue
      expect(decode(whole.subarray(0, length)).type).toBe('malformed')
    }
    if (!hasPayload) expect(decode(unhex(`${bytes}00`)).type).toBe('malformed')
  })
})

const u32 = fc.nat(0xffffffff)
const epoch = fc.integer({ min: 1, max: 0xffffffff })
const blob = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
const shortText = fc.string({ unit: 'grapheme', maxLength: 20 })
const anyAcks = { ack: u32, stateAck: fc.nat(0xffff) }
const anyTerms: fc.Arbitrary<Terms> = fc
  .record({
    heartbeatMs: fc.integer({ min: 1, max: 60_000 }),
    timeoutMs: fc.nat(60_000),
    resumeWindowMs: u32,
    maxFrameBytes: fc.integer({ min: 64, max: 100_000 }),
    maxServerFrameBytes: fc.integer({ min: 64, max: 0xffffffff }),
    messagesPerSecond: u32,
    messageBurst: fc.integer({ min: 4, max: 0xffffffff }),
    bytesPerSecond: u32,
    byteBurst: fc.integer({ min: 400_000, max: 0xffffffff }),
  })
  .map(({ timeoutMs, ...rest }) => ({ ...rest, heartbeatTimeoutMs: rest.heartbeatMs + timeoutMs }))
const both = fc.oneof(
  fc.record({ type: fc.constant('bye' as const), code: fc.nat(0xffff), reason: shortText }),
  fc.record({
    type: fc.constant('reliable' as const),
    ...anyAcks,
    seq: u32,
    epoch,
    payload: blob(300),
  }),
  fc.record({ type: fc.constant('state' as const), ...anyAcks, epoch, payload: blob(300) }),
  fc.record({ type: fc.constant('ack' as const), ...anyAcks }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), ...anyAcks, time: u32 }),
)
const clientFrames: fc.Arbitrary<ClientFrame> = fc.oneof(
  both,
  fc.record({
    type: fc.constant('hello' as const),
    minProtocol: fc.nat(255),
    maxProtocol: fc.nat(255),
    codecs: fc.array(shortText, { maxLength: 16 }),
    compressions: fc.array(shortText, { maxLength: 16 }),
    instance: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    attempt: u32,
    ticket: fc.string({ unit: 'grapheme', maxLength: 200 }),
  }),
  fc.record({
    type: fc.constant('resume' as const),
    protocol: fc.nat(255),
    codec: shortText,
    compression: shortText,
    sessionId: shortText,
    token: blob(200),
    attempt: u32,
    lastReceived: u32,
    reset: fc.boolean(),
    routeEpoch: u32,
  }),
)
const serverFrames: fc.Arbitrary<ServerFrame> = fc.oneof(
  both,
  fc.record({
    type: fc.constant('welcome' as const),
    protocol: fc.nat(255),
    codec: shortText,
    compression: shortText,
    sessionId: shortText,
    token: blob(200),
    terms: anyTerms,
  }),
  fc.record({
    type: fc.constant('resumed' as const),
    token: blob(200),
    recovered: fc.boolean(),
    lastReceived: fc.option(u32, { nil: undefined }),
    terms: anyTerms,
  }),
  fc.record({
    type: fc.constant('route' as const),
    ...anyAcks,
    seq: u32,
    epoch,
    state: fc.constantFrom('unbound' as const, 'bound' as const, 'lost' as const),
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  }),
  fc.record({ type: fc.constant('token' as const), ...anyAcks, token: blob(200) }),
)

test('every frame of a client reads as it was written', () => {
  fc.assert(
    fc.property(clientFrames, (frame) => {
      expect(decodeClientFrame(encodeFrame(frame))).toEqual(frame)
    }),
    { numRuns: 400, seed: 21 },
  )
})

test('every frame of a server reads as it was written', () => {
  fc.assert(
    fc.property(serverFrames, (frame) => {
      expect(decodeServerFrame(encodeFrame(frame))).toEqual(frame)
    }),
    { numRuns: 400, seed: 22 },
  )
})

test('a data frame written in one go is the same, once its acknowledgements are stamped in', () => {
  for (const lane of ['reliable', 'state'] as const) {
    for (const number of [1, 127, 128, 16_384, 0xffffffff]) {
      const payload = unhex('0102030405')
      const frame = encodeData(lane, 77, number, payload)
      expect(frame.length).toBeLessThanOrEqual(payload.length + FRAME_OVERHEAD_BYTES)
      stampAcks(frame, acks.ack, acks.stateAck)
      const expected: Frame =
        lane === 'reliable'
          ? { type: lane, ...acks, seq: 77, epoch: number, payload }
          : { type: lane, ...acks, epoch: number, payload }
      expect(decodeClientFrame(frame)).toEqual(expected)
    }
  }
})

test.each([
  ['an epoch of 0', `11${acksHex}00`],
  ['a varint that is longer than needed', `11${acksHex}8100`],
  ['a varint over 32 bits', `11${acksHex}ffffffff1f`],
  ['a varint that does not end', `11${acksHex}ffffffffffff`],
  ['a route state that does not exist', `12${acksHex}02000000 01 03 0467616d65`],
  ['a route without a name', `12${acksHex}02000000 01 01 00`],
  ['text that is not UTF-8', '056a1002c328'],
  ['17 codecs', `01525453 0102 11 ${'00'.repeat(17)} 00 ${'00'.repeat(12)} 0000`],
  ['another magic', '01525455 0102 00 00 0000'],
  ['no bytes', ''],
])('%s is malformed', (_, bytes) => {
  expect(decodeServerFrame(unhex(bytes)).type).toBe('malformed')
  expect(decodeClientFrame(unhex(bytes)).type).toBe('malformed')
})

test.each([
  ['no heartbeat', { heartbeatMs: 0 }],
  ['a heartbeat timeout below the heartbeat', { heartbeatTimeoutMs: 4999 }],
  ['frames too small for anything', { maxFrameBytes: 63 }],
  ['a burst below four messages', { messageBurst: 3 }],
  ['a burst below four frames', { byteBurst: 65_535 }],
])('a client does not believe terms with %s', (_, change) => {
  const token = unhex('00')
  const bad = { ...terms, ...change }
  const resumed = encodeFrame({
    type: 'resumed',
    token,
    recovered: true,
    lastReceived: 1,
    terms: bad,
  })
  expect(decodeServerFrame(resumed).type).toBe('malformed')
})

describe.each([
  ['clients', decodeClientFrame],
  ['servers', decodeServerFrame],
] as const)('the parser of what %s send', (_, decode) => {
  const random = seededRandom(31)
  const types = Object.values(TYPE)

  test('takes two million random bytes without throwing', () => {
    let total = 0
    let understood = 0
    while (total < 2_000_000) {
      const bytes = random(1 + random.int(random.chance(0.02) ? 5000 : 60))
      // Half of them begin like a frame, so that the fields are reached.
      if (random.chance(0.5)) bytes[0] = random.pick(types)
      if (bytes.length > 4 && random.chance(0.2)) bytes.set([0x52, 0x54, 0x53], 1)
      total += bytes.length
      if (decode(bytes).type !== 'malformed') understood += 1
    }
    expect(understood).toBeGreaterThan(1000)
  })

  test('takes frames with flipped bits, cut and spliced', () => {
    const seeds = golden.map(({ bytes }) => unhex(bytes))
    for (let i = 0; i < 40_000; i++) {
      let bytes = random.pick(seeds).slice()
      for (let flips = random.int(4); flips >= 0; flips--) {
        const at = random.int(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8))
      }
      if (random.chance(0.3)) bytes = bytes.slice(0, 1 + random.int(bytes.length))
      if (random.chance(0.2)) bytes = new Uint8Array([...bytes, ...random.pick(seeds)])
      const frame = decode(bytes)
      // Whatever it is, nothing in it is larger than what came.
      if ('payload' in frame) expect(frame.payload.length).toBeLessThan(bytes.length)
      if ('token' in frame) expect(frame.token.length).toBeLessThan(bytes.length)
    }
  })
})
