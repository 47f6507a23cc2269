import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientOf } from '../src/client-address.ts'

describe('clientOf', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
  ])('takes %s for %s', (address, client) => {
    expect(clientOf(address)).toBe(client)
  })

  it('takes any two addresses of one /64 network for one client, however they are written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const written = new URL(`http://[${address}]/`).hostname.slice(1, -1)
        fc.pre(!written.startsWith('::ffff:'))
        expect(clientOf(address)).toBe(clientOf(written))
        expect(clientOf(address)).toMatch(/^([\da-f]{1,4}:){4}:\/64$/)
      }),
      { seed: 52 },
    )
  })
})
