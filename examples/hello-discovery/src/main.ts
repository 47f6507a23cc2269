// Three workers behind one caller, found and picked without any other package: node src/main.ts, and see who serves.
// Then in other terminals, with ETCD_URL: --worker w4, or npx rts-registry -c hello drain worker/w1
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { EtcdBackend, LoadMeter, MemoryBackend, Registry } from '@rts/discovery'

const { values } = parseArgs({ options: { worker: { type: 'string' } } })
const { ETCD_URL } = process.env
const backend = ETCD_URL === undefined ? new MemoryBackend() : new EtcdBackend({ hosts: ETCD_URL })
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const options = { cluster: 'hello', ttlSeconds: 3, loadVia: 'etcd', loadIntervalMs: 1000 } as const

/** Answers after a while, and tells the others how busy it is. */
async function work(id: string, takesMs: number): Promise<void> {
  let inFlight = 0
  const server = createServer((_, response) => {
    inFlight += 1
    setTimeout(() => response.end(id, () => (inFlight -= 1)), takesMs)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  await using registry = new Registry(backend, options)
  using meter = new LoadMeter({ inFlight: () => inFlight, maxInFlight: 50 })
  const node = await registry.register({ id, role: 'worker', addresses: { http } })
  const telling = setInterval(() => node.reportLoad(meter.read()), 1000)
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  clearInterval(telling)
  server.close()
}

/** Calls whoever is best, and says how it went. */
async function call(): Promise<void> {
  await using registry = new Registry(backend, options)
  const workers = registry.watch('worker')
  await workers.ready({ count: 3 })
  let counts: Record<string, number> = {}
  for (let calls = 1; !stopping.signal.aborted; calls += 1) {
    const worker = workers.pick()
    void fetch(worker?.addresses['http'] ?? '')
      .then((response) => response.text())
      .then((id) => {
        counts[id] = (counts[id] ?? 0) + 1
        worker?.done()
      })
      .catch(() => worker?.done({ unreachable: true }))
    if (calls % 100 === 0) console.log(counts, workers.explain().reason)
    if (calls % 100 === 0) counts = {}
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

if (values.worker !== undefined) await work(values.worker, 20)
else await Promise.all([work('w1', 20), work('w2', 20), work('w3', 200), call()])
