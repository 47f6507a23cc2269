import { expect, test } from 'vitest'
import { simChaos } from './sim-chaos.ts'
import { TcpChaos } from './tcp-chaos.ts'

// The million is `pnpm bench rpc-chaos`.

const SOUND = {
  unsettled: 0,
  settledTwice: 0,
  wrongReplies: 0,
  executedTwice: 0,
  misreported: 0,
}

test.each([1, 2, 3])(
  'calls under cuts, stalls, half-open links and kills each end once and tell the truth, seed %i',
  async (seed) => {
    const result = await simChaos(seed, 20_000, 4)
    expect(result).toMatchObject({ calls: 20_000, ...SOUND })
    expect(result.slowestResetMs).toBeLessThanOrEqual(50)
    expect(result.slowestSilenceMs).toBeLessThanOrEqual(3000)
    expect(Object.keys(result.faults).sort()).toEqual(['cut', 'half-open', 'kill', 'stall'])
  },
)

test('the same over real sockets, with a process that is killed', async () => {
  const chaos = new TcpChaos({
    seed: 3,
    calls: 1e6,
    inFlight: 64,
    faultEveryMs: [20, 100],
    durationMs: 3000,
  })
  const result = await chaos.run()
  expect(result).toMatchObject(SOUND)
  expect(result.calls).toBeGreaterThan(1000)
  expect(result.answered).toBeGreaterThan(500)
  expect(Object.keys(result.faults).length).toBeGreaterThan(1)
})
