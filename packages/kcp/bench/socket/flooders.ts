// Processes that flood a port. Floods come from other machines: what making one costs here is to be little.
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { MIN_HELLO_BYTES } from '../../src/socket/datagram.ts'
import { asLoad, heard, HELPER_FLAGS, startLoad } from './processes.ts'

/** Bytes of a datagram by what a flood is made of. */
export const FLOOD_BYTES = { hellos: MIN_HELLO_BYTES, sealed: 100 } as const
export type FloodKind = keyof typeof FLOOD_BYTES

/** Each in a /24 of its own, where the system lets programs have all of 127/8. */
const ADDRESSES = Array.from(
  { length: 256 },
  (_, i) => `127.${1 + (i >> 4)}.${(i * 7 + 1) & 0xff}.${1 + (i % 250)}`,
).join()
const FILE = 'flood-client.ts'

/**
 * One that is ready to flood. Where it can, the kernel cuts its datagrams, 64 of a call: a third of the CPU of
 * sending each by itself.
 */
export async function startFlooder(
  port: number,
  perSecond: number,
  kind: FloodKind,
): Promise<ChildProcess> {
  const args = [port, perSecond, kind, ADDRESSES]
  const opener = [
    join(import.meta.dirname, 'segmented-sockets.pl'),
    `${FLOOD_BYTES[kind]}`,
    ADDRESSES,
  ]
  const canSegment = spawnSync('perl', opener, { stdio: 'ignore' }).status === 0
  const flooder = canSegment
    ? asLoad(
        fork(join(import.meta.dirname, FILE), args.map(String), {
          execPath: 'perl',
          execArgv: [...opener, process.execPath, ...HELPER_FLAGS],
        }),
      )
    : startLoad(FILE, args)
  await heard(flooder)
  return flooder
}
