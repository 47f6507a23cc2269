import { describe, expect, test } from 'vitest'
import { Kcp, type KcpOptions } from '../src/index.ts'
import {
  type PathOptions,
  percentiles,
  SimulatedLink,
  simulate,
  type SimulationOptions,
  type SimulationReport,
  VirtualTime,
} from '../src/simulator.ts'
import { STARTS } from './support/wire.ts'

const FAST: KcpOptions = {
  nodelay: 1,
  interval: 10,
  resend: 2,
  nc: true,
  sndWnd: 128,
  rcvWnd: 128,
  deadLinkMs: 0,
}

/** What arrives, and when, of datagrams of 100 bytes sent each millisecond. */
function arrivals(
  path: PathOptions,
  count = 2000,
): { index: number; atMs: number; bytes: Uint8Array }[] {
  const time = new VirtualTime()
  const link = new SimulatedLink(time, { seed: 3, forth: path })
  const seen: { index: number; atMs: number; bytes: Uint8Array }[] = []
  link.b.onDatagram = (bytes) => {
    seen.push({ index: new DataView(bytes.buffer).getUint32(0), atMs: time.now(), bytes })
  }
  for (let index = 0; index < count; index += 1) {
    time.setTimer(index, () => {
      const datagram = new Uint8Array(100)
      new DataView(datagram.buffer).setUint32(0, index)
      link.a.send(datagram)
    })
  }
  time.run(1_000_000)
  return seen
}

const delays = (path: PathOptions): number[] =>
  arrivals(path).map(({ index, atMs }) => atMs - index)

describe('a path', () => {
  test('delays by the base and by each kind of jitter', () => {
    expect(new Set(delays({ delayMs: 30 }))).toEqual(new Set([30]))
    const uniform = delays({ delayMs: 30, jitter: { kind: 'uniform', ms: 10 } })
    expect([Math.min(...uniform), Math.max(...uniform)]).toEqual([30, 39])
    expect(percentiles(uniform).mean).toBeCloseTo(34.5, 0)
    const normal = percentiles(delays({ tickMs: 0, jitter: { kind: 'normal', ms: 10 } }))
    expect(normal.p50).toBeCloseTo(6.7, 0)
    expect(normal.p95).toBeGreaterThan(18)
    const pareto = percentiles(delays({ jitter: { kind: 'pareto', ms: 20, chance: 0.1 } }))
    expect(pareto.p50).toBe(0)
    expect(pareto.p95).toBeGreaterThanOrEqual(20)
    expect(pareto.max).toBeGreaterThan(100)
    expect(pareto.max).toBeLessThanOrEqual(2000)
  })

  test('lets jitter reorder datagrams, or keeps their order', () => {
    const jitter = { kind: 'uniform', ms: 10 } as const
    const isSorted = (reorder: boolean): boolean =>
      arrivals({ jitter, reorder }).every(
        ({ index }, at, all) => index >= (all[at - 1]?.index ?? 0),
      )
    expect(isSorted(true)).toBe(false)
    expect(isSorted(false)).toBe(true)
  })

  test('loses each datagram for itself with a chance, and in outages that have a length in time', () => {
    const runs = (path: PathOptions): number[] => {
      const seen = new Set(arrivals(path, 20_000).map(({ index }) => index))
      const lengths: number[] = []
      for (let index = 0, run = 0; index <= 20_000; index += 1) {
        if (index < 20_000 && !seen.has(index)) run += 1
        else if (run > 0) {
          lengths.push(run)
          run = 0
        }
      }
      return lengths
    }
    const mean = (values: number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length
    const lost = (values: number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / 20_000
    const single = runs({ loss: 0.1 })
    // Four deviations of 20,000 throws.
    expect(Math.abs(lost(single) - 0.1)).toBeLessThan(0.0085)
    expect(Math.abs(mean(single) - 1 / 0.9)).toBeLessThan(0.035)
    const outages = runs({ burst: { goodMs: 900, badMs: 100 } })
    expect(mean(outages)).toBeGreaterThan(60)
    expect(mean(outages)).toBeLessThan(150)
    expect(lost(outages)).toBeGreaterThan(0.05)
    expect(lost(outages)).toBeLessThan(0.2)
  })

  test('doubles, and flips bits', () => {
    expect(Math.abs(arrivals({ duplicate: 0.2 }).length - 2400)).toBeLessThan(72)
    const flipped = arrivals({ corrupt: 0.2 }).filter(({ bytes }) =>
      bytes.subarray(4).some((byte) => byte !== 0),
    )
    // A flip in the number before is not seen.
    expect(Math.abs(flipped.length - 400 * 0.975)).toBeLessThan(72)
  })

  test('whatever is spoilt is another datagram than was sent, however short', () => {
    for (const length of [1, 2, 24]) {
      const time = new VirtualTime()
      const link = new SimulatedLink(time, { seed: 4, forth: { corrupt: 1, duplicate: 0.5 } })
      let spoilt = 0
      let asSent = 0
      link.b.onDatagram = (bytes) => {
        if (bytes.some((byte) => byte !== 0)) spoilt += 1
        else asSent += 1
      }
      for (let ms = 0; ms < 2000; ms += 1)
        time.setTimer(ms, () => link.a.send(new Uint8Array(length)))
      time.run(3000)
      expect([asSent, spoilt]).toEqual([0, link.a.counters.corrupted])
      expect(spoilt).toBeGreaterThan(2000)
    }
  })

  test('carries no more than its bandwidth, holds a queue, and drops what does not fit in it', () => {
    // 128 bytes a millisecond are sent where 64 fit.
    const seen = arrivals({ bytesPerSecond: 64_000, queueBytes: 6400 })
    expect(seen.length).toBeGreaterThan(1000)
    expect(seen.length).toBeLessThan(1100)
    const waits = percentiles(seen.map(({ index, atMs }) => atMs - index))
    expect(waits.max, 'a full queue is 100 ms').toBeLessThanOrEqual(100)
    expect(waits.p50).toBeGreaterThan(90)
  })

  test('doubles behind the bottleneck: the second of two costs no bandwidth', () => {
    const narrow: PathOptions = { bytesPerSecond: 64_000, queueBytes: 6400 }
    const once = arrivals(narrow)
    const twice = arrivals({ ...narrow, duplicate: 1 })
    const timesOf = (seen: typeof once): number[] => seen.map(({ atMs }) => atMs)
    expect(timesOf(twice)).toEqual(timesOf(once).flatMap((atMs) => [atMs, atMs]))
  })

  test('has holes: a size, a span of time', () => {
    expect(arrivals({ mtu: 99 })).toEqual([])
    expect(arrivals({ mtu: 100 })).toHaveLength(2000)
    const seen = arrivals({ blackouts: [{ fromMs: 500, toMs: 1500 }] }).map(({ index }) => index)
    expect(seen).toHaveLength(1000)
    expect(seen[499]).toBe(499)
    expect(seen[500]).toBe(1500)
  })

  test('gives the same fate to what is sent at the same time, whatever else is sent', () => {
    const fates = (extra: boolean): number[] => {
      const time = new VirtualTime()
      const link = new SimulatedLink(time, { seed: 5, forth: { loss: 0.5 } })
      const seen: number[] = []
      link.b.onDatagram = (bytes) => void (bytes[0] === 1 && seen.push(time.now()))
      for (let ms = 0; ms < 300; ms += 1) {
        time.setTimer(ms, () => {
          link.a.send(Uint8Array.of(1))
          if (extra) link.a.send(Uint8Array.of(2))
        })
      }
      time.run(1000)
      return seen
    }
    expect(fates(true)).toEqual(fates(false))
    expect(fates(true).length).toBeGreaterThan(100)
  })

  test('refuses chances and sizes that are none', () => {
    for (const path of [{ loss: 1.5 }, { corrupt: -1 }, { delayMs: -1 }, { bytesPerSecond: 0 }])
      expect(() => new SimulatedLink(new VirtualTime(), { seed: 1, forth: path })).toThrow(
        RangeError,
      )
    expect(() => new SimulatedLink(new VirtualTime(), { seed: 0.5 })).toThrow(RangeError)
  })
})

test('after a rebind the old address is dead until the new one has been heard', () => {
  const time = new VirtualTime()
  const link = new SimulatedLink(time, { seed: 1, forth: { delayMs: 10 }, rebindsMs: [100] })
  const toA: string[] = []
  const toB: string[] = []
  link.a.onDatagram = (bytes, from) => toA.push(`${bytes[0]} from ${from}`)
  link.b.onDatagram = (bytes, from) => toB.push(`${bytes[0]} from ${from}`)
  link.a.send(Uint8Array.of(1))
  time.run(95)
  link.b.send(Uint8Array.of(2))
  time.run(120)
  link.b.send(Uint8Array.of(3))
  link.a.send(Uint8Array.of(4))
  time.run(140)
  link.b.send(Uint8Array.of(5))
  time.run(200)
  expect(toB).toEqual(['1 from a:1', '4 from a:2'])
  expect(toA).toEqual(['5 from b:1'])
  expect(link.b.counters.unreachable).toBe(2)
})

test('events of one time happen in the order they were set, and a cancelled one does not', () => {
  const time = new VirtualTime(5)
  const seen: string[] = []
  time.setTimer(2, () => seen.push('b'))
  time.setTimer(1, () => seen.push('a'))
  const cancel = time.setTimer(2, () => seen.push('never'))
  time.setTimer(2, () => {
    seen.push('c')
    time.setTimer(0, () => seen.push('d'))
  })
  cancel()
  time.run(6)
  expect([seen.join(''), time.now()]).toEqual(['a', 6])
  time.run(100)
  expect([seen.join(''), time.now(), time.step()]).toEqual(['abcd', 100, false])
})

test('time stands where it was told to stand, whatever was cancelled before', () => {
  const time = new VirtualTime()
  const seen: number[] = []
  const cancel = time.setTimer(10, () => seen.push(10))
  time.setTimer(1000, () => seen.push(1000))
  cancel()
  time.run(20)
  expect([time.now(), seen]).toEqual([20, []])
  time.run(1000)
  expect([time.now(), seen]).toEqual([1000, [1000]])
})

test('a message that comes again after the last one is not exact', () => {
  // Sends each message as a datagram, and takes whatever comes.
  const bare = (output: (bytes: Uint8Array, offset: number, length: number) => void) => {
    const come: Uint8Array[] = []
    return {
      send(message: Uint8Array): number {
        output(message, 0, message.length)
        return message.length
      },
      peekSize: () => come[0]?.length ?? -1,
      receive(target: Uint8Array): number {
        target.set(come.shift()!)
        return target.length
      },
      input: (bytes: Uint8Array) => come.push(bytes),
      flush: () => undefined,
      nextDeadline: () => Infinity,
    }
  }
  const run = (duplicate: number): SimulationReport =>
    simulate({
      link: { seed: 1, forth: { delayMs: 10, duplicate, jitter: { kind: 'uniform', ms: 5 } } },
      workload: { messages: 1, intervalMs: 10, bytes: 10 },
      make: (_side, output) => bare(output),
    })
  expect(run(0)).toMatchObject({ isExact: true, delivered: 1, wrong: 0 })
  expect(run(1)).toMatchObject({ isExact: false, delivered: 1, wrong: 1 })
})

test('percentiles of nothing are zero', () => {
  expect(percentiles([])).toMatchObject({ count: 0, mean: 0, p99: 0, max: 0 })
  expect(percentiles([3, 1, 2])).toMatchObject({ count: 3, mean: 2, p50: 2, max: 3 })
})

describe.each(STARTS)('two conversations whose numbers begin near $where', (start) => {
  function run(
    options: Omit<SimulationOptions, 'make'>,
    kcp: KcpOptions = FAST,
  ): SimulationReport & { kcps: Kcp[] } {
    const kcps: Kcp[] = []
    const report = simulate({
      startMs: start.ms,
      ...options,
      make(_side, output, nowMs) {
        const made = new Kcp(9, output, { ...kcp, nowMs, initialSn: start.sn })
        kcps.push(made)
        return made
      },
    })
    return { ...report, kcps }
  }

  test('have on a link without loss the delay of the link and the bytes of the headers', () => {
    const path: PathOptions = { delayMs: 30, jitter: { kind: 'uniform', ms: 10 } }
    const report = run({
      link: { seed: 1, forth: path },
      timerMs: 10,
      workload: { messages: 2000, intervalMs: 33, bytes: 100 },
    })
    expect(report.isExact).toBe(true)
    expect(report.latency).toMatchObject({ count: 2000, p99: 39, max: 39 })
    expect(report.wireRatio).toBeGreaterThan(1.51)
    expect(report.wireRatio).toBeLessThan(1.55)
  })

  test('report the same from the same seed, and something else from another', () => {
    const at = (seed: number): SimulationReport =>
      run({
        link: { seed, forth: { delayMs: 20, loss: 0.2 } },
        workload: { messages: 300, intervalMs: 33, bytes: 100 },
      })
    expect(at(1).samples).toEqual(at(1).samples)
    expect(at(1).samples).not.toEqual(at(2).samples)
  })

  test('echo, flush on a grid, and use all of a narrow link', () => {
    const echo = run({
      link: { seed: 2, forth: { delayMs: 25, loss: 0.05 } },
      workload: { messages: 300, intervalMs: 20, bytes: 64, echo: true },
    })
    expect(echo.isExact).toBe(true)
    expect(echo.latency.p50).toBe(50)
    const grid = run({
      link: { seed: 2, forth: { delayMs: 25 } },
      flush: 'grid',
      timerMs: 10,
      workload: { messages: 300, intervalMs: 33, bytes: 64 },
    })
    expect(grid.latency.p50).toBeGreaterThan(25)
    const bulk = run({
      link: { seed: 2, forth: { delayMs: 5, bytesPerSecond: 1_000_000 } },
      workload: { messages: 400, intervalMs: 0, burst: 400, bytes: 5000 },
    })
    expect(bulk.isExact).toBe(true)
    expect(bulk.goodput).toBeGreaterThan(800_000)
    expect(bulk.goodput).toBeLessThan(1_000_000)
  })

  test('give up, and say so, when a message is refused for good: on a dead link, or too large for any window', () => {
    const blackouts = [{ fromMs: 1000, toMs: 40_000 }]
    const dead = run(
      {
        link: { seed: 1, forth: { delayMs: 20, blackouts } },
        workload: { messages: 3000, intervalMs: 33, bytes: 100 },
        limitMs: 60_000,
      },
      { ...FAST, deadLinkMs: 30_000 },
    )
    expect(dead.kcps[0]!.state).toBe(-1)
    expect(dead.isExact).toBe(false)
    expect(dead.wrong).toBe(0)
    expect(dead.delivered).toBeLessThan(100)
    expect(dead.refused).toBe(60_001)

    const large = run({
      link: { seed: 1, forth: { delayMs: 20 } },
      workload: { messages: 4, intervalMs: 33, bytes: (index) => (index === 2 ? 200_000 : 100) },
      limitMs: 10_000,
    })
    expect(large).toMatchObject({ isExact: false, delivered: 2, refused: 10_001 })
  })

  test('give up on a grid too, where time never ends by itself', () => {
    const report = run({
      link: { seed: 1, forth: { delayMs: 20 } },
      flush: 'grid',
      timerMs: 10,
      workload: { messages: 2, intervalMs: 33, bytes: 200_000 },
      limitMs: 1000,
    })
    expect(report).toMatchObject({ isExact: false, delivered: 0, refused: 1001 })
  })

  // The whole of it, a million messages, is in the bench.
  test.each([1, 2, 3, 4, 5, 6])(
    'deliver every message once, in order and unchanged through loss, duplication, reorder, corruption and rebinds, seed %i',
    (seed) => {
      const path: PathOptions = {
        delayMs: 20,
        jitter: { kind: 'pareto', ms: 20, chance: 0.1 },
        loss: 0.1,
        duplicate: 0.05,
        corrupt: 0.05,
        burst: { goodMs: 3000, badMs: 80 },
      }
      const report = run({
        link: { seed, forth: path, rebindsMs: [500, 2000, 2100, 6000] },
        checksum: true,
        workload: { messages: 1500, intervalMs: 5, bytes: (index) => (index * 37) % 2000 },
      })
      expect(report.isExact).toBe(true)
      expect(report.checksumFailures).toBeGreaterThan(100)
      expect(report.back.unreachable).toBeGreaterThan(0)
      expect(report.kcps.map(({ stats }) => stats.refused)).toEqual([0, 0])
    },
  )
})
