import { openUdpSocket } from '@rts/kcp'
import { impaired } from '@rts/kcp/simulator'
import type { Transport } from '@rts/rpc'
import { kcp } from '@rts/rpc/kcp'
import { tcp } from '@rts/rpc/tcp'

/** How the players of a test reach their gates. */
export interface Line {
  readonly name: string
  readonly scheme: 'tcp' | 'kcp'
  /** How much longer something may take on it: several datagrams in a row may be lost. */
  readonly extraMs: number
  /** What one player dials with. */
  transport(): Transport
}

const TCP: Line = { name: 'TCP', scheme: 'tcp', extraMs: 0, transport: () => tcp() }

let seed = 0
const LOSSY_KCP: Line = {
  name: 'KCP with 10 % of all datagrams lost',
  scheme: 'kcp',
  extraMs: 2000,
  transport: () =>
    kcp({ openSocket: impaired(openUdpSocket, { seed: ++seed, out: { loss: 0.1 } }) }),
}

export const LINES: readonly Line[] = [TCP, LOSSY_KCP]
