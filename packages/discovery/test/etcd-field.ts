import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { EtcdProcess, eventually, TcpFaultProxy } from '@rts/testing'
import { Etcd3 } from 'etcd3'
import {
  EtcdBackend,
  Registry,
  type EtcdBackendOptions,
  type RegistryOptions,
} from '../src/index.ts'

/** Of the registries here, unless they are told otherwise. */
export const TTL_SECONDS = 3

/** An etcd of the test's own, and processes that use it, through proxies where they are to be cut off. */
export class Field implements AsyncDisposable {
  readonly etcd: EtcdProcess
  readonly admin: Etcd3
  readonly #ends: (() => Promise<unknown>)[] = []

  constructor(etcd: EtcdProcess) {
    this.etcd = etcd
    this.admin = new Etcd3({ hosts: etcd.url })
  }

  static async open(args: readonly string[] = []): Promise<Field> {
    return new Field(await EtcdProcess.start({ args }))
  }

  registry(options: RegistryOptions = {}, backend: Partial<EtcdBackendOptions> = {}): Registry {
    const registry = new Registry(new EtcdBackend({ hosts: this.etcd.url, ...backend }), {
      ttlSeconds: TTL_SECONDS,
      ...options,
    })
    this.#ends.push(() => registry.stop())
    return registry
  }

  async proxy(): Promise<TcpFaultProxy> {
    const { port } = this.etcd
    const proxy = await TcpFaultProxy.listen({ target: { host: '127.0.0.1', port } })
    this.#ends.push(() => proxy.close())
    return proxy
  }

  /** A process of its own; see the file for what it says. */
  async process(): Promise<{ child: ChildProcess; said: () => string[] }> {
    const file = fileURLToPath(new URL('fixtures/guarded-process.ts', import.meta.url))
    const child = spawn(
      process.execPath,
      ['--conditions=@rts/source', file, this.etcd.url, String(TTL_SECONDS)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    this.#ends.push(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    })
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const said = () => output.split('\n')
    await eventually(() => said().includes('act'), { timeoutMs: 20_000 })
    return { child, said }
  }

  async stored(prefix: string): Promise<Record<string, string>> {
    return this.admin.getAll().prefix(prefix).strings()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()))
    this.admin.close()
    await this.etcd.stop()
  }
}
