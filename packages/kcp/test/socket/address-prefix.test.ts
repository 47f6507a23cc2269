import { expect, test } from 'vitest'
import { addressHost, addressPrefix } from '../../src/socket/address-prefix.ts'
import { RateLimits } from '../../src/socket/rate-limit.ts'

test.each([
  ['10.1.2.3', '10.1.2.200', true],
  ['10.1.2.3', '10.1.3.3', false],
  ['::ffff:10.1.2.3', '10.1.2.4', true],
  ['2001:db8:1:2200::1', '2001:db8:1:22ff:1:2:3:4', true],
  ['2001:db8:1:2200::1', '2001:db8:1:2300::1', false],
  ['2001:db8::1', '2001:db8:0:0:ffff::1', true],
  ['::1', '::2', true],
  ['fe80::1%eth0', 'fe80::2%eth1', true],
])('%s and %s are of one network: %s', (a, b, isSame) => {
  expect(addressPrefix(a) === addressPrefix(b)).toBe(isSame)
})

test.each([
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.4', false],
  ['::ffff:10.1.2.3', '10.1.2.3', true],
  ['::ffff:10.1.2.3', '::ffff:10.1.2.4', false],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff:2:3:4', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8::1', '2001:db8:0:0:ffff::1', true],
  ['::1', '::ffff', true],
  ['fe80::1%eth0', 'fe80::2%eth1', true],
  ['::ffff:0:0', '::1', true],
])('%s and %s are of one host: %s', (a, b, isSame) => {
  expect(addressHost(a) === addressHost(b)).toBe(isSame)
})

test('rates are kept for each network, and for so many networks only', () => {
  const limits = new RateLimits(2, 100)
  expect([1, 2, 3].map(() => limits.take('a', 0))).toEqual([true, true, false])
  expect(limits.take('b', 0)).toBe(true)
  expect([limits.take('a', 500), limits.take('a', 500)]).toEqual([true, false])
  for (let i = 0; i < 1000; i += 1) limits.take(`n${i}`, 600)
  expect(limits.size).toBe(100)
})
