import { expect, test } from 'vitest'
import { simChaos } from './sim-chaos.ts'

// The million is `pnpm bench rpc-chaos`; over real sockets it is the soak that runs here.

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
