import { isLoad, type Load } from './load.ts'

/** `starting` and `draining` nodes are seen by everybody and never picked. */
export type NodeState = 'starting' | 'ready' | 'draining'

/** A few small facts; they count towards the record's size. */
export type NodeMeta = Readonly<Record<string, string | number | boolean>>

/** What a node tells the others about itself: one JSON value under `/<cluster>/nodes/<role>/<id>`. */
export interface NodeRecord {
  /** Unique within its role: `game_1`. */
  readonly id: string
  /** This start of the process; a restart under the same id has another one. */
  readonly epoch: string
  /** What the node does: `gate`, `lobby`, `game`. */
  readonly role: string
  /** Where it listens, by scheme: `{ tcp: 'tcp://10.0.0.2:7001' }`. */
  readonly addresses: Readonly<Record<string, string>>
  readonly zone?: string
  /** Its share of picks against the others, from 0 (never picked). @defaultValue 1 */
  readonly weight?: number
  readonly version?: string
  readonly state: NodeState
  readonly meta?: NodeMeta
  /** How full it is, as the store was last told; links may know better. */
  readonly load?: Load
  /** Names the last change of `state` that came from outside: an operator's drain. */
  readonly order?: string
}

/** What `register` needs to know; the rest has defaults. */
export interface NodeInit {
  readonly id: string
  readonly role: string
  readonly addresses: Readonly<Record<string, string>>
  /** @defaultValue the registry's own epoch */
  readonly epoch?: string
  readonly zone?: string
  readonly weight?: number
  readonly version?: string
  /** @defaultValue 'ready' */
  readonly state?: NodeState
  readonly meta?: NodeMeta
}

/** The largest JSON a node may write, in bytes: every watcher holds every record in memory. */
export const MAX_RECORD_BYTES = 512
/** Larger values under a node's key are not ours and are not even parsed. */
const MAX_FOREIGN_BYTES = 16_384
const STATES: readonly string[] = ['starting', 'ready', 'draining']

/** @throws RangeError or TypeError naming the field that is wrong. */
export function makeRecord(node: NodeInit, epoch: string): NodeRecord {
  checkName('id', node.id)
  checkName('role', node.role)
  const record: NodeRecord = {
    ...node,
    epoch: node.epoch ?? epoch,
    state: node.state ?? 'ready',
  }
  encodeRecord(record)
  return record
}

/** Names stand between slashes in keys. @throws RangeError */
export function checkName(field: string, name: string): void {
  if (typeof name !== 'string' || name === '' || /[/\p{Cc}]/u.test(name)) {
    throw new RangeError(`${field} must be a name without '/', got ${JSON.stringify(name)}`)
  }
}

/** @throws RangeError when a field is wrong or the JSON is longer than {@link MAX_RECORD_BYTES}. */
export function encodeRecord(record: NodeRecord): string {
  const json = JSON.stringify(record)
  if (decodeRecord(json) === undefined) throw new RangeError(`not a node record: ${json}`)
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_RECORD_BYTES) {
    throw new RangeError(
      `the record of ${record.id} is ${bytes} bytes long; at most ${MAX_RECORD_BYTES}: ${json}`,
    )
  }
  return json
}

/** Reads any text; `undefined` when it is not a node record. */
export function decodeRecord(json: string): NodeRecord | undefined {
  if (json.length > MAX_FOREIGN_BYTES) return undefined
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!isObject(value)) return undefined
  const { id, epoch, role, addresses, zone, weight, version, state, meta, load, order } = value
  const isRecord =
    isName(id) &&
    isName(epoch) &&
    isName(role) &&
    isObject(addresses) &&
    Object.values(addresses).every((address) => typeof address === 'string') &&
    isOptionalString(zone) &&
    isOptionalString(version) &&
    (weight === undefined || (typeof weight === 'number' && weight >= 0)) &&
    typeof state === 'string' &&
    STATES.includes(state) &&
    (load === undefined || isLoad(load)) &&
    isOptionalString(order) &&
    (meta === undefined || (isObject(meta) && Object.values(meta).every(isFact)))
  return isRecord ? (value as unknown as NodeRecord) : undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isOptionalString = (value: unknown): boolean =>
  value === undefined || typeof value === 'string'
const isFact = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
