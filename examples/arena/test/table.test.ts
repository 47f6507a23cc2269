import { expect, test } from 'vitest'
import { fit, formatTable, portsOf, wrap } from '../src/table.ts'

test('a table leaves out the last columns that do not fit', () => {
  const rows = [['game_1', '2 rooms', 'tcp 4100']]
  const heading = ['node', 'now', 'ports']
  expect(formatTable(heading, rows)).toEqual([
    'node    now      ports',
    'game_1  2 rooms  tcp 4100',
  ])
  expect(formatTable(heading, rows, 20)).toEqual(['node    now', 'game_1  2 rooms'])
})

test('a line is cut by what one sees of it', () => {
  const styled = '\u001b[1marena\u001b[0m runs'
  expect(fit(styled, 10)).toBe(styled)
  expect(fit(styled, 7)).toBe('\u001b[1marena\u001b[0m …')
  expect(fit(styled, 3)).toBe('\u001b[1mar…\u001b[0m')
})

test('items that do not fit go to the next line', () => {
  expect(wrap(['b bots', 'k kill', 'q quit'], 15, '   ')).toEqual(['b bots   k kill', 'q quit'])
})

test('ports are told once with all that is spoken there', () => {
  const addresses = ['tcp://127.0.0.1:4100', 'kcp://127.0.0.1:4100', 'ws://127.0.0.1:4101']
  expect(portsOf(addresses)).toBe('tcp kcp 4100, ws 4101')
  expect(portsOf([])).toBe('')
})
