import { join } from 'node:path'
import { EtcdProcess, scratchFolder, serviceBinary } from '@rts/testing'
import type { Page } from 'playwright-core'
import { loadConfig } from '../src/config.ts'
import { Supervisor } from '../src/supervisor.ts'
import { launchBrowser, newPage } from './page.ts'

const MAIN = join(import.meta.dirname, '..', 'src', 'main.js')

/** A page on which a guest has been signed in. */
export interface GuestPage {
  readonly page: Page
  /** What went wrong on it so far. */
  readonly errors: readonly string[]
}

/** The cluster with a process for each node and an etcd of its own, as `pnpm cluster` starts it. */
export class ProcessCluster implements AsyncDisposable {
  readonly etcd: EtcdProcess
  readonly supervisor: Supervisor
  readonly #cleanUp: AsyncDisposableStack

  private constructor(etcd: EtcdProcess, supervisor: Supervisor, cleanUp: AsyncDisposableStack) {
    this.etcd = etcd
    this.supervisor = supervisor
    this.#cleanUp = cleanUp
  }

  /** @param main - The program, when it is not the arena's own: a copy whose code a test changes. */
  static async start(main: string = MAIN): Promise<ProcessCluster> {
    await using cleanUp = new AsyncDisposableStack()
    const folder = cleanUp.use(await scratchFolder('cluster'))
    const etcd = cleanUp.use(await EtcdProcess.start())
    const { processes } = await loadConfig()
    const supervisor = new Supervisor({
      nodes: processes.nodes,
      etcdUrl: etcd.url,
      execArgv: ['--conditions=@rts/source'],
      argumentsOf: ({ id, role }) => [
        ...[main, '--role', role, '--id', id, '--port', '0', '--log', join(folder.path, 'log')],
        // A match that ends would look like an interruption.
        ...['--store', join(folder.path, 'arena.sqlite'), '--match-seconds', '600'],
      ],
    })
    cleanUp.defer(() => supervisor.stop())
    await supervisor.start()
    return new ProcessCluster(etcd, supervisor, cleanUp.move())
  }

  /** Where guests log in. */
  get loginUrl(): string {
    return this.supervisor.nodes.find(({ role }) => role === 'http')?.addresses[0] ?? ''
  }

  /** Where there is a browser: its page, with a guest who plays. */
  async openPage(): Promise<GuestPage | undefined> {
    if (serviceBinary('chromium') === undefined) return undefined
    const browser = await launchBrowser()
    this.#cleanUp.defer(() => browser.close())
    const opened = await newPage(browser, { viewport: { width: 1440, height: 900 } })
    await opened.page.goto(this.loginUrl)
    await opened.page.getByRole('button', { name: 'Play as a guest' }).click()
    return opened
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanUp.disposeAsync()
  }
}
