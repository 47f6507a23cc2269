import { serviceBinary } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { etcdHistory } from './histories/etcd-history.ts'

describe.skipIf(!serviceBinary('etcd')).concurrent('any history of faults on etcd', () => {
  it.for([1, 2, 3, 4, 5, 6])(
    'ends with every view equal to the store and no overlap (seed %i)',
    async (seed) => {
      const { acts, changes } = await etcdHistory(seed)
      expect(acts).toBeGreaterThan(0)
      expect(changes).toBeGreaterThan(0)
    },
  )
})
