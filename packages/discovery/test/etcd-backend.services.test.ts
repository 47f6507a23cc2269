import { setTimeout as pause } from 'node:timers/promises'
import { eventually, requireService, serviceUrl } from '@rts/testing'
import { Etcd3 } from 'etcd3'
import { describe } from 'vitest'
import { EtcdBackend } from '../src/index.ts'
import { itIsABackend } from './backend-conformance.ts'

describe.skipIf(!serviceUrl('etcd'))('with the shared etcd', () => {
  itIsABackend('EtcdBackend', async () => {
    const hosts = requireService('etcd')
    const admin = new Etcd3({ hosts })
    return {
      connect: () => new EtcdBackend({ hosts }),
      until: (check) => eventually(check),
      pass: (ms) => pause(ms),
      async compact() {
        const { header } = await admin.kv.range({ key: Buffer.from('/') })
        await admin.kv.compact({ revision: header.revision })
      },
      close: async () => admin.close(),
    }
  })
})
