import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/** Made for one test run: nothing here outlives it. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** An authority, and what it signs: X.509 v3 by hand, because Node reads certificates but makes none. */
export class Authority {
  readonly cert: string
  readonly #name: string
  readonly #key: KeyObject

  constructor(name = 'test authority') {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#name = name
    this.#key = pair.privateKey
    this.cert = this.#make(name, pair.publicKey, [extension('2.5.29.19', seq(bool(true)))])
  }

  issue(name: string, alternatives: readonly string[], days = 1): Certificate {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const names = alternatives.map((alternative) =>
      /^[\d.]+$/.test(alternative)
        ? der(0x87, Buffer.from(alternative.split('.').map(Number)))
        : der(0x82, Buffer.from(alternative)),
    )
    const extensions = names.length === 0 ? [] : [extension('2.5.29.17', seq(...names))]
    return {
      cert: this.#make(name, pair.publicKey, extensions, days),
      key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    }
  }

  #make(subject: string, key: KeyObject, extensions: readonly Buffer[], days = 1): string {
    const now = Date.now()
    const day = 86_400_000
    const algorithm = seq(oid('1.2.840.10045.4.3.2'))
    const body = seq(
      der(0xa0, integer(Buffer.of(2))),
      integer(Buffer.from([1, ...Buffer.from(`${now}${subject}`).subarray(-15)])),
      algorithm,
      commonName(this.#name),
      seq(time(Math.min(now, now + days * day) - day), time(now + days * day)),
      commonName(subject),
      key.export({ type: 'spki', format: 'der' }),
      ...(extensions.length === 0 ? [] : [der(0xa3, seq(...extensions))]),
    )
    const signature = der(0x03, Buffer.concat([Buffer.of(0), sign('sha256', body, this.#key)]))
    const lines = seq(body, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g)!
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  }
}

function der(tag: number, body: Buffer): Buffer {
  const { length } = body
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}
const seq = (...parts: readonly Buffer[]): Buffer => der(0x30, Buffer.concat(parts))
const bool = (value: boolean): Buffer => der(0x01, Buffer.of(value ? 0xff : 0))
const integer = (bytes: Buffer): Buffer => der(0x02, bytes)
const commonName = (name: string): Buffer =>
  seq(der(0x31, seq(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))))
const time = (ms: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
const extension = (id: string, value: Buffer): Buffer => seq(oid(id), der(0x04, value))

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const number of rest) {
    const digits = [number & 0x7f]
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return der(0x06, Buffer.from(bytes))
}
