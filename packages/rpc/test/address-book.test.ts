import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { AddressBook } from '../src/address-book.ts'
import type { AddressTarget } from '../src/address-target.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const target = (url: string): AddressTarget => ({ url }) as AddressTarget

test('an address is the same one as long as somebody holds it', async () => {
  const book = new AddressBook()
  const held = Array.from({ length: 300 }, (_, i) => target(`tcp://10.0.0.1:${i}`))
  for (const one of held) book.set(one.url, one)
  await turn()
  collect()
  for (let i = 0; i < 1000; i++) book.set(`tcp://10.0.0.2:${i}`, target(`tcp://10.0.0.2:${i}`))
  for (const one of held) expect(book.get(one.url)).toBe(one)
  expect(book.values()).toEqual(expect.arrayContaining(held))
  expect(book.get('tcp://10.0.0.3:1')).toBeUndefined()
})

test('addresses that nobody needs any more take no room, however many there were', async () => {
  const book = new AddressBook()
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 1000; i++) {
      const url = `tcp://10.0.${round}.${i}:1`
      book.set(url, target(url))
    }
    await turn()
    collect()
    await turn()
  }
  expect(book.size).toBeLessThan(3000)
})
