import { seededRandom } from '@rts/testing'
import { Kcp, type KcpListener } from '../../src/index.ts'
import type { Pair } from './virtual-network.ts'

const CLIENT = '10.0.9.1'

/** What a client sends in a session's life: its handshake, messages, acknowledgements, pings. */
export function record({ network, near }: Pair): Uint8Array[] {
  network.isRecording = true
  for (let i = 0; i < 30; i += 1) {
    near.send(new Uint8Array(1 + i * 60))
    near.sendUnreliable(new Uint8Array(i))
    network.run(20)
  }
  network.run(5000)
  network.isRecording = false
  return network.seen.filter(({ to }) => to === '10.0.0.1 7000').map(({ bytes }) => bytes)
}

/** What `run` gives, and the conversations of KCP, which sessions hide, that were flushed meanwhile. */
export function withCores<T>(run: () => T): readonly [result: T, cores: readonly Kcp[]] {
  const { flush } = Kcp.prototype
  const cores = new Set<Kcp>()
  Kcp.prototype.flush = function flushSeen(this: Kcp, nowMs) {
    cores.add(this)
    flush.call(this, nowMs)
  }
  try {
    return [run(), [...cores]]
  } finally {
    Kcp.prototype.flush = flush
  }
}

/** Delivers so many of them with bits flipped or cut short. Returns how many bytes that were. */
export function mutate(
  listener: KcpListener,
  corpus: readonly Uint8Array[],
  port: number,
  count: number,
): number {
  const random = seededRandom(11)
  let received = 0
  for (let i = 0; i < count; i += 1) {
    const bytes = corpus[random.int(corpus.length)]!.slice()
    const changes = 1 + random.int(4)
    for (let change = 0; change < changes; change += 1)
      bytes[random.int(random.chance(0.5) ? 16 : bytes.length) % bytes.length]! ^=
        1 << random.int(8)
    const cut = random.chance(0.2) ? bytes.subarray(0, random.int(bytes.length + 1)) : bytes
    received += cut.length
    listener.deliver(cut, random.chance(0.9) ? CLIENT : '66.6.6.6', port)
  }
  return received
}
