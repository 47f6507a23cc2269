import { channel, type Channel } from 'node:diagnostics_channel'
import type { HealthEvent } from './balancer.ts'
import type { NodeRecord } from './node-record.ts'

/** What is published, by channel. */
export interface DiscoveryMessages {
  /** A node joined, left or changed in a directory. */
  'rts:discovery:node': {
    readonly cluster: string
    readonly role: string
    readonly change: 'join' | 'leave' | 'update'
    readonly node: NodeRecord
  }
  /** A pick; `node` is `undefined` when there was none. */
  'rts:discovery:pick': {
    readonly cluster: string
    readonly role: string
    readonly node: NodeRecord | undefined
  }
  /** A node is left alone, or used again. */
  'rts:discovery:health': { readonly cluster: string } & HealthEvent
  /** The lease of this process. */
  'rts:discovery:lease': {
    readonly cluster: string
    readonly leaseId: string
    readonly change: 'live' | 'suspect' | 'lost'
  }
}

const channels: { readonly [Name in keyof DiscoveryMessages]: Channel } = {
  'rts:discovery:node': channel('rts:discovery:node'),
  'rts:discovery:pick': channel('rts:discovery:pick'),
  'rts:discovery:health': channel('rts:discovery:health'),
  'rts:discovery:lease': channel('rts:discovery:lease'),
}

/** A channel that nobody listens to costs one look. */
export function publish<Name extends keyof DiscoveryMessages>(
  name: Name,
  make: () => DiscoveryMessages[Name],
): void {
  const to = channels[name]
  if (to.hasSubscribers) to.publish(make())
}

export const isPickWatched = (): boolean => channels['rts:discovery:pick'].hasSubscribers
