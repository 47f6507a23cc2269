import { describe, expect, it } from 'vitest'
import { memoryHistory } from './histories/memory-history.ts'

describe('any history of faults', () => {
  it('ends with every view equal to the store, every wish there, no overlap and nothing left', async () => {
    let [acts, changes] = [0, 0]
    for (let seed = 1; seed <= 500; seed++) {
      const figures = await memoryHistory(seed)
      acts += figures.acts
      changes += figures.changes
    }
    // It was not an idle time.
    expect(acts).toBeGreaterThan(2000)
    expect(changes).toBeGreaterThan(2000)
  })
})
