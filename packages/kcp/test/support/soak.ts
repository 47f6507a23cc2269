import { seededRandom } from '@rts/testing'
import type { Pair } from './virtual-network.ts'

/**
 * Sends so many messages both ways over a bad line until all have come.
 *
 * @returns How many were not the next one, or not whole.
 */
export async function soak(
  { network, near, far }: Pair,
  count: number,
  seed: number,
): Promise<number> {
  const random = seededRandom(seed)
  const ends = [near, far].map((session) => ({ session, next: 0, at: 0, blocked: false }))
  let wrong = 0
  for (const end of ends) {
    end.session.onMessage = (bytes) => {
      const number = bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16)
      const last = bytes[bytes.length - 1]!
      if (number !== end.next || (bytes.length > 3 && last !== (number & 0xff))) wrong += 1
      end.next += 1
    }
    end.session.on('drain', () => (end.blocked = false))
  }
  while (ends.some(({ next }) => next < count)) {
    for (const end of ends) {
      for (let i = 0; i < 40 && end.at < count && !end.blocked; i += 1) {
        const size = random.chance(0.01) ? 3000 : 3 + random.int(60)
        const bytes = new Uint8Array(size)
        bytes[size - 1] = end.at
        bytes.set([end.at, end.at >> 8, end.at >> 16])
        end.blocked = !end.session.send(bytes)
        end.at += 1
      }
      if (!end.session.isOpen) throw new Error(`closed: ${JSON.stringify(end.session.closeInfo)}`)
    }
    network.run(10)
  }
  return wrong
}
