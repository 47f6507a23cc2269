import type { Backend, KeyValue } from './backend.ts'
import { DiscoveryError } from './errors.ts'
import { nodeKey } from './keys.ts'
import { decodeRecord, encodeRecord, type NodeRecord, type NodeState } from './node-record.ts'
import type { Random } from './random.ts'

/*
 * An operator changes a node's state by writing it into the node's record, with the node's own lease, if nothing else
 * has changed it meanwhile. Watchers see it at once. The node finds that its record was changed, sees by `order` that
 * this was meant, and makes the state its own; any other change by strangers it undoes. The order is a random name, so
 * that one which is heard of late is not obeyed twice.
 */

export interface OutsideChange {
  readonly cluster: string
  readonly role: string
  readonly id: string
  readonly state: Exclude<NodeState, 'starting'>
}

const MAX_TRIES = 8

/**
 * Asks a node to take a state.
 *
 * @returns Its record as it stands now; `undefined` when there is no such node.
 * @throws DiscoveryError as the backend does; `DISCOVERY_UNAVAILABLE` when its record never stands still.
 */
export async function orderState(
  backend: Backend,
  { cluster, role, id, state }: OutsideChange,
  random: Random,
): Promise<NodeRecord | undefined> {
  const key = nodeKey(cluster, role, id)
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const [entry] = (await backend.range({ key })).entries
    const record = entry && decodeRecord(entry.value)
    if (!entry || !record) return undefined
    if (record.state === state) return record
    const order = Buffer.from(random(6)).toString('base64url')
    const changed: NodeRecord = { ...record, state, order }
    const { succeeded } = await backend.transact({
      when: [{ key, modRevision: entry.modRevision }],
      then: [{ kind: 'put', key, value: encodeRecord(changed), lease: entry.lease }],
    })
    if (succeeded) return changed
  }
  throw new DiscoveryError('DISCOVERY_UNAVAILABLE', `${role}/${id} changes all the time`)
}

/**
 * The state that somebody ordered by changing our own entry.
 *
 * @returns Our record with that state; `undefined` when the change was no order, or one that was obeyed before.
 */
export function orderedChange(
  current: KeyValue | undefined,
  own: NodeRecord,
  obeyed: string | undefined,
): NodeRecord | undefined {
  const stored = current && decodeRecord(current.value)
  if (!stored || stored.epoch !== own.epoch) return undefined
  if (stored.order === undefined || stored.order === obeyed) return undefined
  return { ...own, state: stored.state, order: stored.order }
}
