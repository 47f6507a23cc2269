import type { SeededRandom } from '@rts/testing'
import { seededRandom, SteppedClock } from '@rts/testing'
import { encodeNotify, RpcNode, systemClock, type RpcTable } from '../../src/index.ts'
import { makeRoute } from '../../src/wire.ts'
import { FakeLink, hex, unhex } from '../support.ts'

const ROUTE = makeRoute('desk', 'open').bytes
const INNER = makeRoute('desk', 'inner').bytes

/** Frames of every kind, correct ones: what is fed is made of them. */
const VALID: readonly Uint8Array[] = [
  `26 01 00 00 00 64 ${hex(ROUTE)} 91 07`,
  `26 02 00 00 00 64 ${hex(INNER)} 91 07`,
  `27 ${hex(ROUTE)} 91 07`,
  `66 01 00 00 00 00 00 02 65 31 91 07`,
  `a6 03 00 00 00 00 ${hex(ROUTE)} 0a 01 08 05 00 00 00 01 00 00 00 91 07`,
  `a6 03 00 00 00 00 ${hex(ROUTE)} 07 02 01 05 03 02 61 62 91 07`,
  `26 04 00 00 00 00 ${hex(ROUTE)} 91 d6 53 09 00 00 00`,
  `26 05 00 00 00 00 ${hex(ROUTE)} 91 c7 08 52 01 03 68 75 64 00 00 00`,
  `05 00 ${hex(ROUTE)}`,
  '06 01 00 00 00 00 00 91 07',
  '08 01 00 00 00 91 07',
  '28 01 00 00 00',
  '09 01 00 00 00 02 01 41 01 62',
  '29 01 00 00 00 02 01 41 01 62 a1 63',
  '0a 01 00 00 00',
  '8a 09 00 00 00',
  '0b 01 00 00 00',
  '0c 01 00 00 00',
  '0d 01 00 00 00 81 a1 61 01',
  '0e 01 00 00 00 aa',
  '0f 01 00 00 00 a0 0f 02 6f 6b',
  '10 01 00 00 00 05 00 00 00 01 00 00 00 01 00 00 00 00 01 01 61',
  '11 01 00 00 00',
  '12 01 00 00 00 07',
  '92 09 00 00 00 07',
  '13 01 00 00 00',
  '93 09 00 00 00',
  'd3 09 00 00 00 01 41 01 62',
  '14 01 00 00 00 20 80 80 10',
  '94 09 00 00 00 20 80 80 10',
]
  .map(unhex)
  .concat(encodeNotify('desk', 'open', [{ deep: [1, 'x', null, 1.5, new Date(0), 5n] }]))

export interface FuzzResult {
  readonly bytes: number
  readonly frames: number
  /** How often a method ran that is closed to the caller. */
  readonly reached: number
  readonly pollution: readonly string[]
  /** Of one frame, with its handler. */
  readonly slowestMs: number
  readonly codes: readonly number[]
  /** What the node still holds. */
  readonly left: number
}

/** Feeds frames that are wrong in every way to links of players and of servers. */
export async function fuzzFrames(seed: number, bytes: number): Promise<FuzzResult> {
  const random = seededRandom(seed)
  let reached = 0
  class Desk {
    static readonly rpc = {
      open: ['server', 'player'],
      inner: 'admin',
    } as const satisfies RpcTable<Desk>
    async open(value: unknown): Promise<unknown> {
      const isStream = typeof value === 'object' && value !== null && Symbol.asyncIterator in value
      if (isStream) for await (const item of value as AsyncIterable<unknown>) return item
      return value
    }
    inner(): void {
      reached += 1
    }
    secret(): void {
      reached += 1
    }
  }
  const codes = new Set<number>()
  let fed = 0
  let frames = 0
  let slowestMs = 0
  let left = 0
  for (let round = 0; fed < bytes; round++) {
    const clock = new SteppedClock()
    const node = new RpcNode({ id: 'n', clock, trustLoopback: true })
    node.expose('desk', new Desk())
    node.serve('e1', new Desk())
    node.onVirtualLink((link) => void node.attach(link, { trust: 'player' }))
    for (let i = 0; i < 200; i++) {
      const link = new FakeLink()
      node.attach(link, { trust: random.chance(0.6) ? 'player' : 'server' })
      for (let n = 1 + random.int(6); n > 0 && link.closed === undefined; n--) {
        const frame = mutated(random)
        fed += frame.length
        frames += 1
        const startedAt = systemClock.now()
        link.onMessage(frame)
        slowestMs = Math.max(slowestMs, systemClock.now() - startedAt)
        link.sent.length = 0
      }
      if (link.closed?.code !== undefined) codes.add(link.closed.code)
      link.onClose(1006, 'over')
    }
    await clock.settle()
    const { peers, virtualLinks, pendingCalls, runningCalls, waitingCalls } = node.stats()
    left += peers + virtualLinks + pendingCalls + runningCalls + waitingCalls
    void node.close()
  }
  const pollution = Object.keys(Object.prototype)
  return { bytes: fed, frames, reached, pollution, slowestMs, codes: [...codes].sort(), left }
}

function mutated(random: SeededRandom): Uint8Array {
  if (random.chance(0.15)) return random(random.int(200))
  let frame = random.pick(VALID).slice()
  if (random.chance(0.15)) {
    const other = random.pick(VALID)
    const at = random.int(frame.length + 1)
    frame = Uint8Array.of(...frame.subarray(0, at), ...other.subarray(random.int(other.length)))
  }
  if (random.chance(0.1)) frame = frame.subarray(0, random.int(frame.length + 1))
  for (let n = random.int(4); n > 0 && frame.length > 0; n--) {
    frame[random.int(frame.length)] = random.int(256)
  }
  return frame
}
