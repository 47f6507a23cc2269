import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RpcClient } from '../src/client.ts'
import {
  notify,
  RpcNode,
  settle,
  type Link,
  type Remote,
  type RpcPeer,
  type RpcTable,
} from '../src/index.ts'
import { memoryNetwork } from '../src/memory.ts'

// Whatever can be sent arrives as it was sent: over every pair of codecs, in every place a frame has for it.

const typed = fc.oneof(
  fc.uint8Array(),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
  fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
  // A part of a larger buffer.
  fc.uint8Array({ minLength: 8 }).map((bytes) => bytes.subarray(3, 7)),
)
const entityRef = fc.record(
  { id: fc.string({ minLength: 1 }), type: fc.string(), root: fc.string(), url: fc.webUrl() },
  { requiredKeys: ['id'], noNullPrototype: true },
)
const sendable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false, Number.NaN, Infinity, -Infinity, ''),
    fc.integer(),
    // A negative zero arrives as zero.
    fc.double().map((number) => (number === 0 ? 0 : number)),
    fc.maxSafeInteger(),
    fc.constantFrom(
      ...[7, 8, 15, 16, 31, 32, 52, 53].flatMap((n) => [2 ** n, 2 ** n - 1, -(2 ** n)]),
    ),
    fc.constantFrom(0n, -1n, 2n ** 63n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 64n),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.date({ noInvalidDate: true }),
    typed,
    entityRef,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 6, noNullPrototype: true },
    ),
  ),
})).value

class Post {
  static readonly rpc = {
    echo: ['server', 'player'],
    fail: ['server', 'player'],
    each: ['server', 'player'],
    take: ['server', 'player'],
    note: ['server', 'player'],
  } as const satisfies RpcTable<Post>
  noted: unknown[] = []
  echo(...values: unknown[]): unknown {
    return values
  }
  fail(data: unknown): void {
    throw Object.assign(new Error('as asked'), { code: 'AS_ASKED', data })
  }
  async *each(values: readonly unknown[]): AsyncGenerator<unknown> {
    yield* values
  }
  async take(items: AsyncIterable<unknown>): Promise<unknown> {
    const taken: unknown[] = []
    for await (const item of items) taken.push(item)
    return taken
  }
  note(...values: unknown[]): void {
    this.noted = values
  }
}

interface Ends {
  /** What one end calls, and where its notifications arrive. */
  readonly remote: Remote<typeof Post>
  readonly there: Post
  readonly takesStreams: boolean
  close(): Promise<unknown>
}

async function pair(): Promise<[Link, Link]> {
  const transport = memoryNetwork().transport()
  const options = { trust: 'server', maxMessageBytes: 1 << 24 } as const
  let far: Link | undefined
  await transport.listen('memory://x', options, (link) => (far = link))
  const near = await transport.dial('memory://x', {
    ...options,
    signal: new AbortController().signal,
  })
  return [near, far!]
}

const LARGE = { maxReceiveBytes: 1 << 24 }
const nodes = async (
  trust: 'server' | 'player',
): Promise<[RpcPeer, RpcPeer, () => Promise<unknown>]> => {
  const [near, far] = await pair()
  // The reader of a player's bytes has limits; here they are out of the way.
  const playerLimits = { maxTokens: 1e6, maxStringBytes: 1e6, maxBinaryBytes: 1e6 }
  const [a, b] = [new RpcNode({ id: 'a' }), new RpcNode({ id: 'b', playerLimits })]
  const atA = a.attach(near, { trust: 'server' })
  const atB = b.attach(far, { trust, ...LARGE })
  return [atA, atB, () => Promise.all([a.close(), b.close()])]
}

function ends(from: RpcPeer, to: RpcPeer, close: Ends['close'], takesStreams = true): Ends {
  const there = new Post()
  to.expose('post', there)
  return { remote: from.service<typeof Post>('post'), there, takesStreams, close }
}

const client = async (): Promise<[RpcPeer, RpcPeer, () => Promise<unknown>]> => {
  const [near, far] = await pair()
  const node = new RpcNode({ id: 'b', playerLimits: { maxTokens: 1e6, maxBinaryBytes: 1e6 } })
  const rpc = new RpcClient()
  const atClient = rpc.destination('b').attach(near, LARGE)
  const atNode = node.attach(far, { trust: 'player', ...LARGE })
  return [atClient, atNode, () => Promise.all([rpc.close(), node.close()])]
}

const cases: Readonly<Record<string, () => Promise<Ends>>> = {
  'a server to a server': async () => {
    const [a, b, close] = await nodes('server')
    return ends(a, b, close)
  },
  'a node that is a player to a server': async () => {
    const [a, b, close] = await nodes('player')
    return ends(a, b, close)
  },
  'a server to a node that is a player': async () => {
    const [a, b, close] = await nodes('player')
    return ends(b, a, close)
  },
  'a client to a server': async () => {
    const [c, n, close] = await client()
    return ends(c, n, close, false)
  },
  'a server to a client': async () => {
    const [c, n, close] = await client()
    return ends(n, c, close, false)
  },
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe.each(Object.entries(cases))('from %s', (_, make) => {
  test('every value arrives as it was sent, wherever a message carries it', async () => {
    const { remote, there, takesStreams, close } = await make()
    await fc.assert(
      fc.asyncProperty(fc.array(sendable, { maxLength: 8 }), async (values) => {
        expect(await remote.echo(...values)).toStrictEqual(values)
        const [error] = await settle(remote.fail(values))
        expect(error).toMatchObject({ code: 'AS_ASKED' })
        expect((error as { data?: unknown }).data).toStrictEqual(values)
        expect(await listed(remote.each(values))).toStrictEqual(values)
        there.noted = []
        expect(notify(remote).note(...values)).toBe(true)
        await remote.echo()
        expect(there.noted).toStrictEqual(values)
        if (!takesStreams) return
        async function* items(): AsyncGenerator<unknown> {
          yield* values
        }
        expect(await remote.take(items())).toStrictEqual(values)
      }),
      { numRuns: 120, seed: 7 },
    )
    await close()
  })

  test('what is no data is refused by name, never an empty object at the other end', async () => {
    const { remote, close } = await make()
    async function* stream(): AsyncGenerator<number> {
      yield 1
    }
    class Feed {
      [Symbol.asyncIterator] = stream
    }
    const inside = [stream(), new Feed(), Promise.resolve(1)].map((value) => ({ inside: value }))
    for (const value of [...inside, [Promise.resolve(1)], () => {}, Symbol('s')]) {
      expect((await settle(remote.echo(value)))[0]).toMatchObject({
        code: 'RPC_BAD_ARGUMENTS',
        executed: 'no',
      })
    }
    const circle: unknown[] = []
    circle.push(circle)
    expect((await settle(remote.echo(circle)))[0]).toMatchObject({ code: 'RPC_BAD_ARGUMENTS' })
    expect(await remote.echo('as ever')).toEqual(['as ever'])
    await close()
  })
})

test('other users of msgpackr in the process keep their own way with promises and streams', async () => {
  const { pack, unpack } = await import('msgpackr')
  expect(unpack(pack({ later: Promise.resolve(1) }))).toEqual({ later: {} })
})
