import { describe, expect, it } from 'vitest'
import { parseCommand } from '../src/command-options.ts'

describe('the options of the command', () => {
  it('come from flags, then from the environment, then from nowhere', () => {
    expect(parseCommand([], {})).toMatchObject({
      name: 'list',
      role: undefined,
      cluster: 'default',
      isJson: false,
      etcd: { hosts: ['http://127.0.0.1:2379'] },
    })
    const env = { RTS_ETCD: 'https://a:1, https://b:2', RTS_ETCD_USER: 'u', RTS_ETCD_PASSWORD: 'p' }
    expect(parseCommand(['watch', 'game', '--json', '--ca', 'ca.pem'], env)).toMatchObject({
      name: 'watch',
      role: 'game',
      isJson: true,
      etcd: { hosts: ['https://a:1', 'https://b:2'], auth: { username: 'u', password: 'p' } },
      tls: { ca: 'ca.pem' },
    })
    expect(parseCommand(['-e', 'http://c:3', '-c', 'x', 'drain', 'game/g_1'], env)).toMatchObject({
      etcd: { hosts: ['http://c:3'] },
      cluster: 'x',
      role: 'game',
      id: 'g_1',
    })
    expect(parseCommand(['--help'], {})).toBeUndefined()
  })

  it('are refused in words when they make no sense', () => {
    for (const [args, words] of [
      [['dance'], 'no command "dance"'],
      [['drain'], 'drain wants a node: drain game/game_1'],
      [['ready', 'game'], 'ready wants a node'],
      [['drain', 'a/b/c'], 'drain wants a node'],
      [['list', 'game/game_1'], 'list wants a role, not "game/game_1"'],
      [['list', 'game', 'lobby'], '"lobby" is too much'],
      [['--user', 'u'], 'a user and a password go together'],
      [['--cert', 'c'], 'a certificate and its key go together'],
      [['--cert', 'c', '--key', 'k'], 'a client certificate needs --ca'],
      [['--fast'], "Unknown option '--fast'"],
    ] as const) {
      expect(() => parseCommand(args, {}), args.join(' ')).toThrow(words)
    }
  })
})
