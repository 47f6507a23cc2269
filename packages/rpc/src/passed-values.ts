import { addExtension } from 'msgpackr'
import { concat, encodeString, putU32 } from './byte-writer.ts'
import { ByteReader } from './byte-reader.ts'
import { RpcError } from './errors.ts'
import { MAX_NAME_BYTES } from './wire.ts'

/** MessagePack extension types of what is more than data. */
const EXT_REMOTE = 0x52
const EXT_STREAM = 0x53

const MAX_URL_BYTES = 1024

/** By what way a remote that is passed is reached. */
export const REACH = {
  /** At an address, or wherever the entity is. */
  cluster: 0,
  /** Over this link, at the end that sends it. */
  sender: 1,
  /** Over this link, at the end that receives it. */
  receiver: 2,
} as const

/** A remote on its way. */
export class RemoteValue {
  readonly reach: number
  readonly service: string
  /** Empty for a service. */
  readonly entityId: string
  /** Of components, with dots; empty for the object itself. */
  readonly path: string
  readonly url: string
  readonly type: string
  readonly root: string

  constructor(of: RemoteValue) {
    this.reach = of.reach
    this.service = of.service
    this.entityId = of.entityId
    this.path = of.path
    this.url = of.url
    this.type = of.type
    this.root = of.root
  }
}

/** A stream on its way: the number under which its items follow. */
export class StreamValue {
  readonly id: number

  constructor(id: number) {
    this.id = id
  }
}

/** Makes what arrived work at this end. */
export interface Receiver {
  remote(value: RemoteValue): object
  stream(id: number): object
}

let receiver: Receiver | undefined
let isRegistered = false

/** Decodes with somebody there to take what is more than data. Decoding never re-enters. */
export function receiveWith<T>(by: Receiver, decode: () => T): T {
  receiver = by
  try {
    return decode()
  } finally {
    receiver = undefined
  }
}

/** Teaches msgpackr the two extension types, once for the process. */
export function registerPassedValues(): void {
  if (isRegistered) return
  isRegistered = true
  addExtension({
    Class: RemoteValue as never,
    type: EXT_REMOTE,
    pack: (value: RemoteValue) => encodeRemoteValue(value) as Buffer,
    unpack: (bytes: Uint8Array) => taker().remote(decodeRemoteValue(bytes)),
  })
  addExtension({
    Class: StreamValue as never,
    type: EXT_STREAM,
    pack: ({ id }: StreamValue) => {
      const out = new Uint8Array(4)
      putU32(out, 0, id)
      return out as Buffer
    },
    unpack: (bytes: Uint8Array) => {
      const reader = new ByteReader().reset(bytes)
      const id = reader.u32()
      if (!reader.isDone || id === 0) throw new RpcError('RPC_PROTOCOL', 'a malformed stream')
      return taker().stream(id)
    },
  })
}

function taker(): Receiver {
  if (receiver === undefined) {
    throw new RpcError('RPC_PROTOCOL', 'remotes and streams are not taken here')
  }
  return receiver
}

function encodeRemoteValue(value: RemoteValue): Uint8Array {
  const { reach, service, entityId, path, url, type, root } = value
  return concat(
    Uint8Array.of(reach),
    ...[service, entityId, path, ...(reach === REACH.cluster ? [url, type, root] : [])].map(
      encodeString,
    ),
  )
}

/** @throws RpcError `RPC_PROTOCOL` for what names nothing. */
function decodeRemoteValue(bytes: Uint8Array): RemoteValue {
  const reader = new ByteReader().reset(bytes)
  const reach = reader.u8()
  const service = reader.string(MAX_NAME_BYTES)
  const entityId = reader.string(MAX_NAME_BYTES)
  const path = reader.string(MAX_NAME_BYTES)
  const isFar = reach === REACH.cluster
  const url = isFar ? reader.string(MAX_URL_BYTES) : ''
  const type = isFar ? reader.string(MAX_NAME_BYTES) : ''
  const root = isFar ? reader.string(MAX_NAME_BYTES) : ''
  const namesOne = (service === '') !== (entityId === '')
  if (!reader.isDone || reach > REACH.receiver || !namesOne) {
    throw new RpcError('RPC_PROTOCOL', 'a malformed remote')
  }
  return new RemoteValue({ reach, service, entityId, path, url, type, root })
}
