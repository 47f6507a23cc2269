import { SERVER_MESSAGE_BYTES } from './limits.ts'
import { LoopLink } from './loop-link.ts'
import type { NodeHost } from './node-host.ts'
import { makePeer, type RpcPeer } from './peer.ts'

/** Who calls when a node calls itself, as its handlers see it: that node, at the other end of a link to itself. */
export function makeSelfPeer(host: NodeHost): RpcPeer {
  const url = `self://${host.name}`
  const peer = makePeer(host, new LoopLink(url, host.clock), {
    nodeId: host.name,
    role: '',
    caller: 'server',
    url,
    isDialled: false,
    maxReceiveBytes: SERVER_MESSAGE_BYTES,
    maxSendBytes: SERVER_MESSAGE_BYTES,
  })
  // It is no link to anybody.
  host.counters.peers -= 1
  return peer
}
