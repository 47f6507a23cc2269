import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, StringCodec } from 'nats'
import type { Contender } from './contender.ts'
import { freePort } from './port.ts'

export const hasNatsServer = (): boolean =>
  spawnSync('nats-server', ['--version'], { stdio: 'ignore' }).status === 0

const codec = StringCodec()

/** Request and reply through a server of its own: one hop more than the others. */
export const nats: Contender = {
  async serve() {
    const port = await freePort()
    const server = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
    })
    process.once('exit', () => server.kill('SIGKILL'))
    const servers = `127.0.0.1:${port}`
    for (let tries = 1; ; tries += 1) {
      try {
        const connection = await connect({ servers })
        connection.subscribe('echo', { callback: (_, message) => message.respond(message.data) })
        await connection.flush()
        return servers
      } catch (error) {
        if (tries === 50) throw error
        await sleep(100)
      }
    }
  },
  async connect(servers) {
    const connection = await connect({ servers })
    return {
      async echo(text) {
        const { data } = await connection.request('echo', codec.encode(text), { timeout: 3000 })
        return codec.decode(data)
      },
    }
  },
}
