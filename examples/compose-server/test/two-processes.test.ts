import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { RpcNode, type Remote } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { eventually, serviceUrl } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { Guest, type Rooms } from '../src/rooms.ts'

const FOLDER = join(import.meta.dirname, '..')
const STOP_WITHIN_MS = 3000

class Ears extends Guest {
  readonly heard: string[] = []
  hear(text: string): void {
    this.heard.push(text)
  }
}

interface Program extends Disposable {
  output(): string
  /** Where a role listens, once it says that it is ready. */
  url(role: string): Promise<string>
  type(line: string): void
  /** Ends it by SIGTERM: the exit code, and how long that took. */
  stop(): Promise<{ code: number | null; tookMs: number }>
}

/** Runs one of the programs with hours of a tenth of a second. */
function run(file: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, ['--conditions=@rts/source', file, ...args], {
    cwd: FOLDER,
    env: { ...process.env, HOUR_MS: '100', ...env },
    stdio: 'pipe',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    output: () => output,
    async url(role) {
      const ready = new RegExp(`${role} +is ready +url=(\\S+)`)
      await eventually(() => ready.test(output), { timeoutMs: 15_000, message: `no ${role}` })
      return ready.exec(output)![1]!
    },
    type: (line) => void child.stdin.write(`${line}\n`),
    async stop() {
      const began = performance.now()
      child.kill('SIGTERM')
      return { code: await ended, tookMs: performance.now() - began }
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** Comes in as a guest; ends with the node. */
async function visit(
  node: RpcNode,
  url: string,
): Promise<{ heard: string[]; rooms: Remote<typeof Rooms, 'player'> }> {
  const ears = new Ears()
  node.expose('guest', ears)
  const peer = await node.connect(url)
  return { heard: ears.heard, rooms: peer.service('rooms') }
}

const hears = (heard: readonly string[], text: string): Promise<void> =>
  eventually(() => heard.includes(text), { timeoutMs: 10_000, message: `nobody heard "${text}"` })

async function expectGoodEnd(program: Program): Promise<void> {
  const { code, tookMs } = await program.stop()
  expect(code, program.output()).toBe(0)
  expect(tookMs).toBeLessThan(STOP_WITHIN_MS)
}

describe.skipIf(serviceUrl('etcd') === undefined)('two processes that meet in etcd', () => {
  test('guests chat while days pass, also after the world was started anew', async () => {
    const env = { CLUSTER: `compose-${process.pid}` }
    using rooms = run('src/main.ts', ['--role', 'rooms'], env)
    using world = run('src/main.ts', ['--role', 'world'], env)
    await using kimsNode = new RpcNode({ id: 'kim', transports: [tcp()] })
    await using adasNode = new RpcNode({ id: 'ada', transports: [tcp()] })
    const kim = await visit(kimsNode, await rooms.url('rooms'))
    const ada = await visit(adasNode, await rooms.url('rooms'))
    await world.url('world')

    expect(await kim.rooms.enter('square')).toBeLessThan(24)
    await ada.rooms.enter('mill')
    await kim.rooms.say('good evening')
    await kim.rooms.say('tea', 200)
    await hears(kim.heard, 'kim: good evening')
    await hears(kim.heard, 'kim: tea')
    await hears(kim.heard, 'the lantern goes out')
    await Promise.all([hears(ada.heard, 'night falls'), hears(ada.heard, 'the sun rises')])
    expect(ada.heard).not.toContain('kim: tea')

    await expectGoodEnd(world)
    using anew = run('src/main.ts', ['--role', 'world'], env)
    await anew.url('world')
    const before = kim.heard.length
    expect(await kim.rooms.enter('mill')).toBeLessThan(24)
    await eventually(() => kim.heard.slice(before).includes('the lantern goes out'), {
      timeoutMs: 10_000,
    })
    await expectGoodEnd(anew)
    await expectGoodEnd(rooms)
    expect(rooms.output()).toContain('kim: good evening  room=square')
  })

  test('a role that does not exist is refused with what to say instead', async () => {
    using nobody = run('src/main.ts', ['--role', 'castle'])
    await eventually(() => nobody.output().includes('--role rooms, or --all'))
  })
})

test('with --all both live in one process, and a guest talks from a terminal', async () => {
  using both = run('src/main.ts', ['--all'])
  using guest = run('guest.ts', [await both.url('rooms'), 'kim'])
  await eventually(() => guest.output().includes('the lantern will burn until'), {
    timeoutMs: 10_000,
  })
  guest.type('good evening')
  guest.type('/in 1 tea')
  await eventually(() => guest.output().includes('kim: tea'), { timeoutMs: 10_000 })
  expect(guest.output()).toContain('kim: good evening\n')
  await expectGoodEnd(both)
})
