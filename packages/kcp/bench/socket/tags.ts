// What it costs to authenticate a datagram, one way and others.
import { createCipheriv, createHmac, createSecretKey } from 'node:crypto'
import { interleave } from '../../../../bench.base.ts'
import { keyWords } from '../../src/socket/siphash.ts'
import { siphash24Js } from '../../src/socket/siphash-js.ts'
import { siphash24Wasm } from '../../src/socket/siphash-wasm.ts'
import type { Cases } from './many-sessions.ts'

const BYTES = 240
const COUNT = 20_000
const ROUNDS = 5

export async function tagCases(): Promise<Cases> {
  const bytes = new Uint8Array(BYTES).map((_, i) => i)
  const keyBytes = new Uint8Array(16).map((_, i) => i)
  const key = keyWords(keyBytes)
  const secret = createSecretKey(keyBytes)
  const out = [new Int32Array(2), new Int32Array(2)] as const
  const wasm = siphash24Wasm()!
  wasm(key, 0, bytes, 0, BYTES, out[0])
  siphash24Js(key, 0, bytes, 0, BYTES, out[1])
  if (out[0].join() !== out[1].join()) throw new Error('two SipHashes')
  const each = (tag: () => void) => (): number => {
    const began = performance.now()
    for (let i = 0; i < COUNT; i += 1) tag()
    return ((performance.now() - began) * 1000) / COUNT
  }
  const rows = await interleave(
    `a tag of ${BYTES} B`,
    'us',
    {
      'SipHash in WebAssembly': each(() => wasm(key, 0, bytes, 0, BYTES, out[0])),
      'SipHash in JavaScript': each(() => siphash24Js(key, 0, bytes, 0, BYTES, out[0])),
      'HMAC-SHA256': each(() => void createHmac('sha256', secret).update(bytes).digest()),
      'AES-128-GCM': each(() => {
        const cipher = createCipheriv('aes-128-gcm', secret, bytes.subarray(0, 12))
        cipher.update(bytes)
        cipher.final()
        cipher.getAuthTag()
      }),
    },
    ROUNDS,
  )
  return { rows, checks: [] }
}
