import { eventually, requireService, serviceUrl } from '@rts/testing'
import { describe } from 'vitest'
import { EtcdBackend } from '../src/index.ts'
import { itIsARegistry } from './registry-conformance.ts'

describe.skipIf(!serviceUrl('etcd'))('with the shared etcd', () => {
  itIsARegistry('EtcdBackend', async () => {
    const hosts = requireService('etcd')
    return {
      connect: () => new EtcdBackend({ hosts }),
      options: () => ({}),
      until: (check) => eventually(check),
      run: (promise) => promise,
      close: async () => {},
    }
  })
})
