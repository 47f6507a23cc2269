import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { encodeNotify, notify, RpcError, RpcNode, withCall, type RpcTable } from '../src/index.ts'
import { encodeHello, encodeWelcome, transcript } from '../src/handshake-frames.ts'
import { encodeExtras } from '../src/extras.ts'
import { encodeCall, encodeFailedEnd, encodeItem } from '../src/body-frames.ts'
import {
  encodeCredit,
  encodeEntityId,
  encodeIdFrame,
  encodeProbe,
  KIND,
  makeRoute,
} from '../src/wire.ts'
import { registerPassedValues, RemoteValue, StreamValue } from '../src/passed-values.ts'
import { FakeLink, hex, unhex } from './support.ts'

// These bytes are the protocol: a change here is a new protocol version.

class Calculator {
  static readonly rpc = {
    add: 'server',
    log: 'server',
    fail: 'server',
  } as const satisfies RpcTable<Calculator>
  add(a: number, b: number): number {
    return a + b
  }
  log(line: string): void {
    void line
  }
  fail(): void {
    throw Object.assign(new Error('empty'), { code: 'BAG_EMPTY', data: { slot: 3 } })
  }
}
class Avatar {
  static readonly components: { bag: typeof Calculator } = { bag: Calculator }
  readonly bag: Calculator = new Calculator()
}

function attached(): { node: RpcNode; link: FakeLink; peer: ReturnType<RpcNode['attach']> } {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  const link = new FakeLink()
  return { node, link, peer: node.attach(link, { trust: 'server' }) }
}

test('a call announces its route once, then carries its number', async () => {
  const { link, peer } = attached()
  const calculator = peer.service<typeof Calculator>('calc')
  const first = calculator.add(1, 2)
  expect(link.takeHex()).toEqual([
    '05 00 04 63 61 6c 63 03 61 64 64', // route 0 is calc, add
    '06 01 00 00 00 b8 17 00 92 01 02', // call 1, 3000 ms, route 0, [1, 2]
  ])
  const second = withCall(calculator, { timeoutMs: 100 }).add(3, 4)
  expect(link.takeHex()).toEqual(['06 02 00 00 00 64 00 92 03 04'])
  link.onMessage(unhex('08 02 00 00 00 07'))
  link.onMessage(unhex('08 01 00 00 00 03'))
  expect(await Promise.all([first, second])).toEqual([3, 7])
})

test('a call to an entity carries the entity id after the route', () => {
  const { link, peer } = attached()
  void peer.entity<typeof Avatar>('av1').bag.add(1, 2)
  expect(link.takeHex()).toEqual([
    '05 00 00 07 62 61 67 2e 61 64 64', // route 0 is "", bag.add
    '46 01 00 00 00 b8 17 00 03 61 76 31 92 01 02',
  ])
})

test('a notification has no id and no deadline; encodeNotify spells its route out', () => {
  const { link, peer } = attached()
  expect(notify(peer.service<typeof Calculator>('calc')).log('hi')).toBe(true)
  expect(link.takeHex()).toEqual(['05 00 04 63 61 6c 63 03 6c 6f 67', '07 00 91 a2 68 69'])
  expect(hex(encodeNotify('calc', 'log', ['hi']))).toBe('27 04 63 61 6c 63 03 6c 6f 67 91 a2 68 69')
})

test('answers: a value, nothing, an error of the handler, a refusal', () => {
  const { node, link } = attached()
  node.expose('calc', new Calculator())
  const callOf = (method: string, args: string): Uint8Array =>
    unhex(`26 09 00 00 00 00 ${hex(makeRoute('calc', method).bytes)} ${args}`)
  link.onMessage(callOf('add', '92 01 02'))
  link.onMessage(callOf('log', '91 a1 61'))
  link.onMessage(callOf('fail', '90'))
  link.onMessage(callOf('gone', '90'))
  expect(link.takeHex()).toEqual([
    '08 09 00 00 00 03',
    '28 09 00 00 00',
    `29 09 00 00 00 02 09 ${hex(new TextEncoder().encode('BAG_EMPTY'))} 05 65 6d 70 74 79 81 a4 73 6c 6f 74 03`,
    `09 09 00 00 00 00 12 ${hex(new TextEncoder().encode('RPC_UNKNOWN_METHOD'))} 24 ${hex(
      new TextEncoder().encode('calc.gone: no such method is exposed'),
    )}`,
  ])
})

test('a receiver skips the extras it does not know', () => {
  const { node, link } = attached()
  node.expose('calc', new Calculator())
  link.onMessage(
    unhex(`a6 01 00 00 00 00 ${hex(makeRoute('calc', 'add').bytes)} 03 ff ff ff 92 01 02`),
  )
  expect(link.takeHex()).toEqual(['08 01 00 00 00 03'])
})

test('a call of a chain carries it in its extras; a probe asks along it', () => {
  const chain = encodeExtras([2 ** 32 + 5])
  const call = encodeCall(1, 3000, 0, makeRoute('calc', 'add'), undefined, chain, [1, 2])
  expect(hex(call)).toBe('86 01 00 00 00 b8 17 00 0a 01 08 05 00 00 00 01 00 00 00 92 01 02')
  const probe = { origin: 2 ** 32 + 5, round: 3, hops: 2, trail: ['a', 'bc'] }
  expect(hex(encodeProbe(7, probe))).toBe(
    '10 07 00 00 00 05 00 00 00 01 00 00 00 03 00 00 00 02 02 01 61 02 62 63',
  )
})

test('a stream: opened, asked for, its items, its end and a failed end', () => {
  expect([
    hex(encodeIdFrame(KIND.stream, 7)),
    hex(encodeCredit(7, 300, 262_144)),
    hex(encodeItem(7, [1])),
    hex(encodeIdFrame(KIND.end, 7)),
    hex(encodeFailedEnd(7, 'NO', 'why', undefined)),
    hex(encodeFailedEnd(7, 'NO', 'why', 3)),
  ]).toEqual([
    '11 07 00 00 00',
    '14 07 00 00 00 ac 02 80 80 10',
    '12 07 00 00 00 91 01',
    '13 07 00 00 00',
    '53 07 00 00 00 02 4e 4f 03 77 68 79',
    '73 07 00 00 00 02 4e 4f 03 77 68 79 03',
  ])
})

test('cancel, ping and pong are an id', () => {
  const { link, peer } = attached()
  const controller = new AbortController()
  withCall(peer.service<typeof Calculator>('calc'), { signal: controller.signal })
    .add(1, 2)
    .catch(() => {})
  link.takeHex()
  controller.abort()
  expect(link.takeHex()).toEqual(['0a 01 00 00 00'])
  link.onMessage(unhex('0b 07 00 00 00'))
  expect(link.takeHex()).toEqual(['0c 07 00 00 00'])
})

test('virtual links: open, data on both lanes, close; a flag says whose number it is', () => {
  const { node, link, peer } = attached()
  const mine = peer.openVirtualLink({ who: 'x' })
  mine.send(unhex('aa bb'))
  mine.sendUnreliable?.(unhex('cc'))
  mine.close(4000, 'bye')
  expect(link.takeHex()).toEqual([
    '0d 01 00 00 00 81 a3 77 68 6f a1 78',
    '0e 01 00 00 00 aa bb',
    '4e 01 00 00 00 cc',
    '0f 01 00 00 00 a0 0f 03 62 79 65',
  ])
  node.onVirtualLink((theirs) => theirs.send(unhex('dd')))
  link.onMessage(unhex('0d 01 00 00 00 c0'))
  expect(link.takeHex()).toEqual(['2e 01 00 00 00 dd'])
})

test('the handshake frames', () => {
  const identity = { id: 'a', role: 'game', epoch: 'e' }
  const nonce = new Uint8Array(32).fill(0xab)
  const hello = encodeHello({
    ...identity,
    minVersion: 2,
    maxVersion: 2,
    claimsServer: true,
    claimsAdmin: false,
    canProve: true,
    maxMessageBytes: 16_384,
    nonce,
  })
  expect(hex(hello)).toBe(
    `01 52 54 53 02 02 03 00 40 00 00 01 61 04 67 61 6d 65 01 65 ${hex(nonce)}`,
  )
  const admin = { claimsServer: false, claimsAdmin: true, canProve: true }
  const asAdmin = { ...identity, minVersion: 2, maxVersion: 2, ...admin }
  expect(hex(encodeHello({ ...asAdmin, maxMessageBytes: 16_384, nonce }))).toBe(
    `01 52 54 53 02 02 06 00 40 00 00 01 61 04 67 61 6d 65 01 65 ${hex(nonce)}`,
  )
  const welcome = encodeWelcome({
    ...identity,
    version: 2,
    granted: 'server',
    maxMessageBytes: 16_384,
    proof: unhex('01 02'),
  })
  expect(hex(welcome)).toBe('04 02 01 00 40 00 00 01 61 04 67 61 6d 65 01 65 02 01 02')
  expect(hex(transcript('dialer', unhex('01'), unhex('02 03')))).toBe(
    `1b ${hex(new TextEncoder().encode('rts-rpc cluster handshake 1'))} 01 01 01 02 02 03`,
  )
})

test('names that do not fit are refused where they are written', () => {
  expect(() => makeRoute('x'.repeat(256), 'm')).toThrow(RangeError)
  expect(() => encodeEntityId('')).toThrow(RangeError)
  expect(() => encodeEntityId('é'.repeat(128))).toThrow(RangeError)
})

test('malformed frames close the link with a code and are counted, whatever the bytes', () => {
  const malformed = [
    '', // no kind
    '00',
    '1f 01 02',
    '06 01 00', // a call cut short
    '06 01 00 00 00 00 07 90', // a route never announced
    '26 00 00 00 00 00 01 61 01 62 90', // call id 0
    '26 01 00 00 00 00 01 61 ff', // a name cut short
    '05 01 01 61 01 62', // routes start at 0
    '05 00 01 61 01 62 00', // bytes after a route
    '08 01',
    '09 01 00 00 00 02 ff',
    '0b 01',
    '0c',
    '0d 01',
    '0e 01 00',
    '0f 01 00 00 00 01',
    '10 01 00 00 00', // a probe cut short
    '11 01',
    '12 01 00',
    '53 01 00 00 00 05',
    '11 01 00 00 00 00', // bytes after it
    '14 01 00 00 00', // no credit
    '14 01 00 00 00 05', // items, but no bytes
    '14 01 00 00 00 05 00 00',
    '01 52 54 53', // a handshake frame out of place
  ]
  for (const bytes of malformed) {
    const { node, link, peer } = attached()
    link.onMessage(unhex(bytes))
    expect(link.closed?.code, bytes).toBe(4400)
    expect(peer.isOpen).toBe(false)
    expect(node.stats().protocolErrors).toBe(1)
  }
})

test('arguments that are no array, or no value, are a protocol error or an answer', () => {
  const { node, link } = attached()
  node.expose('calc', new Calculator())
  const route = hex(makeRoute('calc', 'add').bytes)
  link.onMessage(unhex(`26 01 00 00 00 00 ${route} 92 01`))
  expect(link.sent[0]?.[0]).toBe(9)
  expect(new TextDecoder().decode(link.sent[0])).toContain('RPC_BAD_ARGUMENTS')
  link.onMessage(unhex(`26 01 00 00 00 00 ${route} 80`))
  expect(link.closed?.code).toBe(4400)
  expect(RpcError.name).toBe('RpcError')
})

test('what is more than data: a remote by each way, and a stream', () => {
  registerPassedValues()
  const remote = (reach: number, of: Partial<RemoteValue>): string =>
    hex(
      encodeItem(
        7,
        new RemoteValue({
          reach,
          service: '',
          entityId: '',
          path: '',
          url: '',
          type: '',
          root: '',
          ...of,
        }),
      ),
    )
  expect([
    remote(0, { entityId: 'kim', type: 'A', url: 'u' }),
    remote(1, { service: 'hud', path: 'a.b' }),
    remote(2, { service: 'hud' }),
    hex(encodeItem(7, new StreamValue(258))),
  ]).toEqual([
    '12 07 00 00 00 c7 0c 52 00 00 03 6b 69 6d 00 01 75 01 41 00',
    '12 07 00 00 00 c7 0a 52 01 03 68 75 64 00 03 61 2e 62',
    '12 07 00 00 00 c7 07 52 02 03 68 75 64 00 00',
    '12 07 00 00 00 d6 53 02 01 00 00',
  ])
})
