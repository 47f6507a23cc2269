import { unhex } from './support.ts'

/** Bodies that cost a careless decoder seconds, gigabytes or its life. */
export const bombs: Readonly<Record<string, Uint8Array>> = {
  'a chain of array headers': new Uint8Array(72 * 1024).fill(0xdc),
  'a million arrays inside one another': new Uint8Array(1_000_000).fill(0x91),
  'an array of four billion': unhex('dd ff ff ff ff'),
  'a map of four billion': unhex('df ff ff ff ff'),
  'a string of four billion': unhex('db ff ff ff ff'),
  'binary of four billion': unhex('c6 ff ff ff ff'),
  'an extension of four billion': unhex('c9 ff ff ff ff 74'),
  'arrays that each announce many': new Uint8Array(16_384).map((_, i) =>
    i % 3 === 0 ? 0xdc : 0xff,
  ),
  'sixteen thousand empty arrays': Uint8Array.of(
    ...unhex('dc 3f fd'),
    ...new Uint8Array(16_381).fill(0x90),
  ),
  'a long bigint': Uint8Array.of(...unhex('c8 3f f0 42'), ...new Uint8Array(16_368).fill(0xff)),
  'a record with many fields': Uint8Array.of(
    ...unhex('d4 72 40 dc 10 00'),
    ...new Uint8Array(8192).fill(0xa0),
  ),
  'an expression that backtracks': Uint8Array.of(
    ...unhex('d4 78 00 92 aa'),
    ...new TextEncoder().encode('(a+)+$'.padEnd(10, 'b')),
    0xa0,
  ),
}
