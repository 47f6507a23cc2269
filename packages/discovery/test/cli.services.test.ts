import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { eventually, requireService, serviceUrl } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { EtcdBackend, Registry } from '../src/index.ts'
import { game } from './world.ts'

const FILE = join(import.meta.dirname, '../src/cli.ts')

function run(args: readonly string[]) {
  const child = spawn(process.execPath, ['--conditions=@rts/source', FILE, ...args])
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, ended, out: () => out, err: () => err }
}

describe.skipIf(!serviceUrl('etcd'))('the command on a real etcd', () => {
  it('lists, watches and drains', async () => {
    const hosts = requireService('etcd')
    const cluster = `cli-${process.pid}`
    const at = ['-e', hosts, '-c', cluster]
    await using registry = new Registry(new EtcdBackend({ hosts }), { cluster })
    const registration = await registry.register(game('game_1'))
    const watching = run([...at, 'watch', '--json'])
    await eventually(() => watching.out().includes('"join"'))

    const listing = run([...at, 'list'])
    expect(await listing.ended, listing.err()).toBe(0)
    expect(listing.out()).toContain('game_1  ● ready')

    const draining = run([...at, 'drain', 'game/game_1'])
    expect(await draining.ended, draining.err()).toBe(0)
    await eventually(() => registration.record.state === 'draining' && registration.isRegistered)
    await eventually(() => watching.out().includes('"draining"'))
    watching.child.kill('SIGINT')
    expect(await watching.ended).toBe(0)
    expect(watching.out().split('\n')[0]).toContain('"change":"join"')
  })

  it('says what is wrong: no node, no etcd, no such command', async () => {
    const hosts = requireService('etcd')
    const [nobody, nowhere, nonsense] = [
      run(['-e', hosts, 'drain', 'game/nobody']),
      run(['-e', 'http://127.0.0.1:1', 'list']),
      run(['dance']),
    ]
    expect(await Promise.all([nobody.ended, nowhere.ended, nonsense.ended])).toEqual([1, 1, 2])
    expect(nobody.err()).toContain('there is no node game/nobody')
    expect(nowhere.err()).toContain('DISCOVERY_UNAVAILABLE')
    expect(nonsense.err()).toContain('no command "dance"')
  })
})
