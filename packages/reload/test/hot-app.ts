// A folder of hot modules and a reloader for it. The package is loaded natively, not by the test runner: it hooks
// into Node's own loader.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { scratchFolder } from '@rts/testing'
import type * as Library from '../src/index.ts'
import type { Reloader, ReloaderOptions } from '../src/index.ts'

export const native = createRequire(import.meta.url)('../src/index.ts') as typeof Library

export class HotApp implements AsyncDisposable {
  readonly folder: string
  readonly reloader: Reloader
  readonly #scratch: AsyncDisposable

  private constructor(folder: string, scratch: AsyncDisposable, options: Partial<ReloaderOptions>) {
    this.folder = folder
    this.#scratch = scratch
    this.reloader = native.createReloader({ roots: [folder], detectNative: false, ...options })
  }

  static async open(
    files: Readonly<Record<string, string>>,
    options: Partial<ReloaderOptions> = {},
  ): Promise<HotApp> {
    const scratch = await scratchFolder('rts-reload-')
    const app = new HotApp(scratch.path, scratch, options)
    app.write(files)
    return app
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true })
      writeFileSync(this.path(name), text)
    }
  }

  // eslint-disable-next-line typescript/no-explicit-any -- modules of a test are written as text
  import(name: string): Promise<any> {
    return this.reloader.import(this.path(name))
  }

  /** Writes files and reloads; throws when the reload failed. */
  async edit(files: Readonly<Record<string, string>>): ReturnType<Reloader['incremental']> {
    this.write(files)
    const report = await this.reloader.incremental()
    if (!report.ok) throw report.failure?.cause
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reloader.close()
    await this.#scratch[Symbol.asyncDispose]()
  }
}
