import type { ICompare, IEvent, IKeyValue, IRequestOp } from 'etcd3'
import type { Compare, KeyRange, KeyValue, Operation, WatchEvent } from './backend.ts'

/** `CompareResult.Equal` and the members of `CompareTarget` in etcd's protocol. */
const EQUAL = 0
const TARGET = { create: 1, mod: 2, lease: 4 } as const

/** A range as etcd writes it: from `key` up to, not including, `range_end`. */
export function toRange(range: KeyRange): { key: Buffer; range_end?: Buffer } {
  if ('key' in range) return { key: Buffer.from(range.key) }
  // etcd's way to say every key.
  if (range.prefix === '') return { key: Buffer.of(0), range_end: Buffer.of(0) }
  const key = Buffer.from(range.prefix)
  const end = Buffer.from(key)
  // The first key after all that begin with the prefix. UTF-8 has no byte 255, so there is room for one more.
  end[end.length - 1]! += 1
  return { key, range_end: end }
}

export function toCompare(compare: Compare): ICompare {
  const key = Buffer.from(compare.key)
  const result = EQUAL
  if ('createRevision' in compare) {
    return { key, result, target: TARGET.create, create_revision: compare.createRevision }
  }
  if ('modRevision' in compare) {
    return { key, result, target: TARGET.mod, mod_revision: compare.modRevision }
  }
  return { key, result, target: TARGET.lease, lease: compare.lease }
}

export function toRequest(operation: Operation): IRequestOp {
  const key = Buffer.from(operation.key)
  if (operation.kind === 'delete') return { request_delete_range: { key } }
  const value = Buffer.from(operation.value)
  return { request_put: { key, value, lease: operation.lease ?? '0' } }
}

export function fromKeyValue(entry: IKeyValue): KeyValue {
  return {
    key: entry.key.toString(),
    value: entry.value.toString(),
    createRevision: Number(entry.create_revision),
    modRevision: Number(entry.mod_revision),
    lease: entry.lease,
  }
}

export function fromEvent(event: IEvent): WatchEvent {
  return event.type === 'Delete'
    ? {
        kind: 'delete',
        key: event.kv.key.toString(),
        modRevision: Number(event.kv.mod_revision),
      }
    : { kind: 'put', entry: fromKeyValue(event.kv) }
}
