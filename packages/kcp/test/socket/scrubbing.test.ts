import { SteppedClock } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { newCounters, type KcpCounters } from '../../src/socket/counters.ts'
import type { DatagramSocket, ScrubbedSocket, Siblings } from '../../src/socket/datagram-socket.ts'
import { Endpoint } from '../../src/socket/endpoint.ts'
import { resolveOptions } from '../../src/socket/options.ts'
import { Scrubbing } from '../../src/socket/flood/scrubbing.ts'

class Socket implements ScrubbedSocket {
  readonly address = '10.0.0.1'
  readonly port = 7000
  readonly kind: string
  onDatagram: DatagramSocket['onDatagram'] = () => {}
  onError: DatagramSocket['onError'] = () => {}
  onCounters: (counters: KcpCounters) => void = () => {}
  onLost: (error: Error) => void = () => {}
  readonly times: number[] = []
  isClosed = false

  constructor(kind: string) {
    this.kind = kind
  }
  send(): boolean {
    return true
  }
  setNow(nowMs: number): void {
    this.times.push(nowMs)
  }
  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}

/** A port whose sockets are opened when the test says so. */
class Port implements Siblings {
  readonly first = new Socket('first')
  readonly opened: Socket[] = [this.first]
  readonly asked: { kind: string; open(): void; fail(): void }[] = []
  readonly clock = new SteppedClock()
  readonly endpoint = new Endpoint(this.first, resolveOptions({ clock: this.clock }))
  floods = 0
  readonly scrubbing = new Scrubbing(this.endpoint, this, {
    rules: { maxRetriesPerSecond: 10, tokenKey: new Uint8Array(32) },
    usePort: (socket) => {
      this.endpoint.socket = socket
    },
    onFlood: () => {
      this.floods += 1
    },
  })

  /** What reads the port. */
  get kind(): string {
    return (this.endpoint.socket as Socket).kind
  }
  get isOpen(): string[] {
    return this.opened.filter(({ isClosed }) => !isClosed).map(({ kind }) => kind)
  }
  connected(): Promise<DatagramSocket> {
    throw new Error('not asked for')
  }
  plain(): Promise<DatagramSocket> {
    return this.#ask('plain')
  }
  scrubbed(): Promise<ScrubbedSocket> {
    return this.#ask('scrubbed')
  }
  async answer(how: 'open' | 'fail' = 'open'): Promise<void> {
    this.asked.shift()![how]()
    await settled()
  }
  async look(isMuch: boolean, isFlooded: boolean): Promise<void> {
    this.scrubbing.look(isMuch, isFlooded)
    await settled()
  }
  #ask(kind: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const open = (): void => {
        const socket = new Socket(kind)
        this.opened.push(socket)
        resolve(socket)
      }
      this.asked.push({ kind, open, fail: () => reject(new Error('EMFILE')) })
    })
  }
}

const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

async function scrubbed(): Promise<Port> {
  const port = new Port()
  await port.look(true, true)
  await port.answer()
  return port
}

describe('a port', () => {
  test('is read by a thread from the time that much is dropped until the flood is over', async () => {
    const port = new Port()
    await port.look(false, false)
    await port.look(false, true)
    expect(port.asked).toEqual([])
    await port.look(true, true)
    expect(port.isOpen).toEqual(['first'])
    await port.answer()
    expect(port.kind).toBe('scrubbed')
    expect(port.isOpen).toEqual(['scrubbed'])
    // Less comes, but the flood goes on.
    await port.look(false, true)
    expect(port.asked).toEqual([])
    await port.look(false, false)
    expect(port.isOpen).toEqual(['scrubbed'])
    await port.answer()
    expect(port.kind).toBe('plain')
    expect(port.isOpen).toEqual(['plain'])
    await port.look(true, true)
    await port.answer()
    expect(port.isOpen).toEqual(['scrubbed'])
  })

  test('is not asked for twice', async () => {
    const port = new Port()
    await port.look(true, true)
    await port.look(true, true)
    expect(port.asked).toHaveLength(1)
    await port.answer()
    await port.look(false, false)
    await port.look(false, false)
    expect(port.asked.map(({ kind }) => kind)).toEqual(['plain'])
  })

  test('that can have no thread is read as before, and asks again in the next flood', async () => {
    const port = new Port()
    await port.look(true, true)
    await port.answer('fail')
    expect(port.isOpen).toEqual(['first'])
    await port.look(true, true)
    expect(port.asked).toEqual([])
    await port.look(false, false)
    await port.look(true, true)
    await port.answer()
    expect(port.kind).toBe('scrubbed')
  })

  test('whose thread ends is read by this one at once', async () => {
    const port = await scrubbed()
    port.opened[1]!.onLost(new Error('out of memory'))
    expect(port.asked.map(({ kind }) => kind)).toEqual(['plain'])
    await port.answer()
    expect(port.isOpen).toEqual(['plain'])
    await port.look(true, true)
    expect(port.asked).toEqual([])
  })

  test('that cannot be had back is asked for until it is', async () => {
    const port = await scrubbed()
    await port.look(false, false)
    await port.answer('fail')
    expect(port.isOpen).toEqual(['scrubbed'])
    await port.look(false, false)
    await port.answer()
    expect(port.isOpen).toEqual(['plain'])
  })

  test.each(['begins', 'goes on', 'ends'])('is closed when its flood %s', async (when) => {
    const port = when === 'begins' ? new Port() : await scrubbed()
    if (when !== 'goes on') await port.look(when === 'begins', when === 'begins')
    const closing = port.scrubbing.closePort()
    if (when !== 'goes on') await port.answer()
    await closing
    expect(port.isOpen).toEqual([])
    await port.look(true, true)
    expect(port.asked).toEqual([])
  })

  test('with no siblings is never read by another', async () => {
    const port = new Port()
    const scrubbing = new Scrubbing(port.endpoint, undefined, {
      rules: { maxRetriesPerSecond: 10, tokenKey: new Uint8Array(32) },
      usePort: () => expect.unreachable(),
      onFlood: () => {},
    })
    scrubbing.look(true, true)
    await scrubbing.closePort()
    expect(port.isOpen).toEqual([])
  })
})

test('a thread is told the time, and what it counts is added up; only hellos above the budget are a flood', async () => {
  const port = await scrubbed()
  const thread = port.opened[1]!
  await port.clock.advance(1500)
  await port.look(false, true)
  expect(thread.times).toEqual([1500])
  const report = (retries: number, overBudget: number): KcpCounters => {
    const counters = { ...newCounters(), retries }
    counters.dropped.retryBudget = overBudget
    return counters
  }
  thread.onCounters(report(3, 0))
  expect(port.floods).toBe(0)
  thread.onCounters(report(4, 100))
  expect(port.floods).toBe(1)
  const { retries, dropped } = port.scrubbing.counters
  expect([retries, dropped.retryBudget]).toEqual([7, 100])
})
