import { describe, expect, it } from 'vitest'
import { nodeTable } from '../src/node-table.ts'
import { node } from './fleet.ts'

const full = [
  node('game_1', {
    epoch: 'mjuohs00-8d8f027e',
    zone: 'eu-1',
    version: '1.4.0',
    weight: 2,
    load: { pressure: 0.43, sessions: 120 },
    addresses: { tcp: 'tcp://10.0.0.2:7001', ws: 'ws://10.0.0.2:7002' },
  }),
  node('game_2', { epoch: 'mjuohs00-8d8f027f', state: 'draining' }),
]
const lines = (columns: number) =>
  nodeTable(full, { columns, hasColors: false }).trimEnd().split('\n')

describe('the table of nodes', () => {
  it('shows everything where there is room', () => {
    expect(lines(140)).toEqual([
      'ROLE  NODE    STATE       LOAD   PLAYERS  ZONE  VERSION  WEIGHT  EPOCH              ADDRESSES',
      'game  game_1  ● ready     ▄ 43%      120  eu-1  1.4.0         2  mjuohs00-8d8f027e  tcp://10.0.0.2:7001 ws://10.0.0.2:7002',
      'game  game_2  ◐ draining                                      1  mjuohs00-8d8f027f  ',
      '2 nodes: 1 ready, 1 draining',
    ])
  })

  it('fits every width from that of what it must say', () => {
    for (let columns = 24; columns <= 140; columns += 1) {
      for (const line of lines(columns)) {
        expect([...line].length, `${columns}: ${line}`).toBeLessThanOrEqual(Math.max(columns, 28))
      }
    }
    expect(lines(60)[1]).toMatch(/tcp:\/\/10[.0-9]*…/)
    expect(lines(30)[0]).toBe('ROLE  NODE    STATE')
  })

  it('lets no record steer the terminal, and counts wide characters twice', () => {
    const rude = node('a\u001B[2Jb', { zone: '東京' })
    const [head, row] = nodeTable([rude, node('c', { zone: 'x' })], {
      columns: 80,
      hasColors: false,
    }).split('\n')
    expect(row).not.toContain('\u001B')
    expect(row).toContain('東京  ')
    expect(head).toContain('ZONE  ')
  })

  it('has colors where they are wanted', () => {
    expect(nodeTable(full, { columns: 80, hasColors: true })).toContain(
      '\u001B[33m◐ draining\u001B[0m',
    )
  })
})
