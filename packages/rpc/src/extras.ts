import { ByteReader } from './byte-reader.ts'
import { concat, putU32, putVarint, utf8, varintSize } from './byte-writer.ts'
import { MAX_CHAIN, NO_CHAIN, type Chain } from './chain.ts'

/** What a call between servers carries beside its arguments. */
export interface Extras {
  readonly chain: Chain
  readonly priority: number
  readonly trace: string | undefined
}

const NONE: Extras = { chain: NO_CHAIN, priority: 0, trace: undefined }
const TYPE = { chain: 1, priority: 2, trace: 3 } as const
const ID_BYTES = 8
const MAX_TRACE_BYTES = 1024

/** The extras of a call, their length in front; `undefined` when there are none. */
export function encodeExtras(
  chain: Chain,
  priority: number = 0,
  trace?: string,
): Uint8Array | undefined {
  const items: Uint8Array[] = []
  if (chain.length > 0) items.push(item(TYPE.chain, chainBytes(chain)))
  if (priority !== 0) items.push(item(TYPE.priority, Uint8Array.of(priority & 0xff)))
  if (trace !== undefined) {
    const bytes = utf8(trace)
    if (bytes.length <= MAX_TRACE_BYTES) items.push(item(TYPE.trace, bytes))
  }
  return items.length === 0 ? undefined : prefixed(concat(...items))
}

/** Reads extras; types it does not know are skipped, whatever is malformed is not there. */
export function decodeExtras(bytes: Uint8Array): Extras {
  const reader = new ByteReader().reset(bytes)
  let { chain, priority, trace } = NONE
  while (reader.at < bytes.length) {
    const type = reader.u8()
    const length = reader.varint()
    const body = reader.raw(length)
    if (reader.bad) break
    if (type === TYPE.chain) chain = readChain(body)
    else if (type === TYPE.priority && length === 1) priority = (body[0]! << 24) >> 24
    else if (type === TYPE.trace && length <= MAX_TRACE_BYTES)
      trace = new TextDecoder().decode(body)
  }
  return { chain, priority, trace }
}

/** @throws RangeError when it is no whole number from -128 to 127. */
export function priorityOf(priority: number | undefined): number {
  if (priority === undefined) return 0
  if (!(Number.isInteger(priority) && priority >= -128 && priority <= 127)) {
    throw new RangeError(`priority must be a whole number from -128 to 127, got ${priority}`)
  }
  return priority
}

function chainBytes(chain: Chain): Uint8Array {
  const out = new Uint8Array(chain.length * ID_BYTES)
  let at = 0
  for (const id of chain) at = putU32(out, putU32(out, at, id % 2 ** 32), Math.floor(id / 2 ** 32))
  return out
}

function readChain(body: Uint8Array): Chain {
  if (body.length % ID_BYTES !== 0 || body.length > MAX_CHAIN * ID_BYTES) return NO_CHAIN
  const ids = new ByteReader().reset(body)
  return Array.from({ length: body.length / ID_BYTES }, () => ids.u32() + ids.u32() * 2 ** 32)
}

const item = (type: number, body: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(type), prefixed(body))

function prefixed(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(varintSize(bytes.length) + bytes.length)
  out.set(bytes, putVarint(out, 0, bytes.length))
  return out
}
