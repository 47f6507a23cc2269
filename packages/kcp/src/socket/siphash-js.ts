import type { SipHash } from './siphash.ts'

/** In 32-bit halves, for where there is no WebAssembly. */
export const siphash24Js: SipHash = (key, keyAt, bytes, offset, end, out) => {
  const k0 = key[keyAt]!
  const k1 = key[keyAt + 1]!
  const k2 = key[keyAt + 2]!
  const k3 = key[keyAt + 3]!
  let v0l = k0 ^ 0x70736575
  let v0h = k1 ^ 0x736f6d65
  let v1l = k2 ^ 0x6e646f6d
  let v1h = k3 ^ 0x646f7261
  let v2l = k0 ^ 0x6e657261
  let v2h = k1 ^ 0x6c796765
  let v3l = k2 ^ 0x79746573
  let v3h = k3 ^ 0x74656462
  const length = end - offset
  const lastBlock = offset + (length & ~7)
  // The message blocks, the padded last one, and the finalization, which is four rounds without a block.
  let at = offset
  let phase = 0
  while (phase < 2) {
    let ml = 0
    let mh = 0
    let rounds = 2
    if (at < lastBlock) {
      ml = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      mh = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)
      at += 8
    } else if (phase === 0 && at <= end) {
      mh = length << 24
      for (let i = 0; at + i < end; i += 1) {
        if (i < 4) ml |= bytes[at + i]! << (8 * i)
        else mh |= bytes[at + i]! << (8 * (i - 4))
      }
      at = end + 1
    } else {
      phase = 2
      rounds = 4
      v2l ^= 0xff
    }
    v3l ^= ml
    v3h ^= mh
    for (let round = 0; round < rounds; round += 1) {
      let sum = (v0l >>> 0) + (v1l >>> 0)
      v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0
      v0l = sum | 0
      sum = (v2l >>> 0) + (v3l >>> 0)
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0
      v2l = sum | 0
      let low = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = low ^ v0l
      low = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = low ^ v2l
      low = v0l
      v0l = v0h
      v0h = low
      sum = (v2l >>> 0) + (v1l >>> 0)
      v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0
      v2l = sum | 0
      sum = (v0l >>> 0) + (v3l >>> 0)
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0
      v0l = sum | 0
      low = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = low ^ v2l
      low = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = low ^ v0l
      low = v2l
      v2l = v2h
      v2h = low
    }
    v0l ^= ml
    v0h ^= mh
  }
  out[0] = v0l ^ v1l ^ v2l ^ v3l
  out[1] = v0h ^ v1h ^ v2h ^ v3h
}
