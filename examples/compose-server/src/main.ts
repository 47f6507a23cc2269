// Two processes that find each other through etcd: --role world and --role rooms. Or both in one: --all
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { EtcdBackend, MemoryBackend, Registry } from '@rts/discovery'
import { createLogger } from '@rts/log'
import { RpcNode, type EntityRef } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { tcp } from '@rts/rpc/tcp'
import { Timers } from '@rts/timer'
import { Rooms } from './rooms.ts'
import { Village } from './village.ts'

const { values } = parseArgs({ options: { role: { type: 'string' }, all: { type: 'boolean' } } })
const {
  ETCD_URL = 'http://127.0.0.1:2379',
  CLUSTER = 'village',
  CLUSTER_KEY = 'a secret that all servers share',
  HOUR_MS = '1000',
} = process.env
const backend = values.all ? new MemoryBackend() : new EtcdBackend({ hosts: ETCD_URL })
const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])

/** Runs one role until the process is told to stop; what it is made of then ends from the last to the first. */
async function run(role: string): Promise<void> {
  await using logger = createLogger({ name: role })
  const cluster = clusterKey(CLUSTER_KEY)
  await using rpc = new RpcNode({ id: role, transports: [tcp()], cluster, locate, logger })
  await using registry = new Registry(backend, { cluster: CLUSTER, ttlSeconds: 3, logger })
  using timers = new Timers({ onError: (error) => logger.error('a timer failed', error) })

  /** Asked before each call to the other role, so a restarted process is found again. */
  async function locate({ id }: EntityRef): Promise<string | undefined> {
    const directory = registry.watch(id)
    await directory.ready({ timeoutMs: 2000 })
    return directory.pick()?.addresses['tcp']
  }

  if (role === 'world') rpc.serve(role, new Village(rpc, timers, Number(HOUR_MS)))
  else if (role === 'rooms') rpc.serve(role, new Rooms(rpc, timers, logger))
  else throw new RangeError('say --role world, --role rooms, or --all')

  const { url } = await rpc.listen('tcp://127.0.0.1:0')
  await registry.register({ id: role, role, addresses: { tcp: url } })
  logger.info('is ready', { url })
  await stopped
  logger.info('stops')
}

await Promise.all((values.all ? ['world', 'rooms'] : [values.role ?? '']).map(run))
