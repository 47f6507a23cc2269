import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { serviceBinary } from '@rts/testing'

/** kcp-go with nothing of its own on top: 16 random bytes and a CRC-32, then plain KCP. */
const PLAIN = [
  ...['--crypt', 'none', '--datashard', '0', '--parityshard', '0', '--nocomp', '--quiet'],
  ...['--mode', 'fast3', '--mtu', '1350', '--sndwnd', '1024', '--rcvwnd', '1024'],
]

/** A kcptun process of the test's own. */
export class Kcptun implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #kill = (): void => void this.#child.kill('SIGKILL')

  private constructor(child: ChildProcess) {
    this.#child = child
    process.once('exit', this.#kill)
  }

  /** Takes KCP on `port` and carries what comes in to TCP at `target`. */
  static server(port: number, target: number): Promise<Kcptun> {
    return Kcptun.#start(serviceBinary('kcptun')!, [
      ...['--listen', `127.0.0.1:${port}`, '--target', `127.0.0.1:${target}`],
    ])
  }

  /** Takes TCP on `port` and carries what comes in by KCP to `remote`. */
  static client(port: number, remote: number): Promise<Kcptun> {
    return Kcptun.#start(join(dirname(serviceBinary('kcptun')!), 'kcptun-client'), [
      ...['--localaddr', `127.0.0.1:${port}`, '--remoteaddr', `127.0.0.1:${remote}`],
    ])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.removeListener('exit', this.#kill)
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  static async #start(program: string, args: readonly string[]): Promise<Kcptun> {
    const child = spawn(program, [...args, ...PLAIN], { stdio: ['ignore', 'ignore', 'pipe'] })
    const kcptun = new Kcptun(child)
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr!.on('data', (chunk) => {
        output += String(chunk)
        if (output.includes('key derivation done')) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`${program} ended: ${output}`)))
    })
    return kcptun
  }
}
