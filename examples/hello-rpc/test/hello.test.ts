import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runExample } from '../../../scripts/examples.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')

test('two nodes greet, shop and count, and the program ends by itself', async () => {
  const { code, output } = await runExample(MAIN)
  const lines = [
    'hello, game',
    'kim hears: have a lamp',
    'kim has 1 thing',
    '3',
    '2',
    '1',
    'NO_NAME',
  ]
  expect(output.trim().split('\n')).toEqual(lines)
  expect(code).toBe(0)
})

test('it is under 60 lines', () => {
  expect(readFileSync(MAIN, 'utf8').split('\n').length).toBeLessThan(60)
})
