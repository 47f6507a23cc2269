import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from '@rts/testing'

const ARENA = fileURLToPath(new URL('..', import.meta.url))
const LEFT_OUT = new Set(['node_modules', '.data', '.artifacts'])

/** The arena in a folder of its own, whose code a test may change; removed with its folder. */
export class ArenaCopy implements AsyncDisposable {
  readonly folder: string
  readonly #scratch: AsyncDisposable
  readonly #before = new Map<string, string>()

  private constructor(folder: string, scratch: AsyncDisposable) {
    this.folder = folder
    this.#scratch = scratch
  }

  static async make(): Promise<ArenaCopy> {
    const scratch = await scratchFolder('arena-copy-')
    const folder = join(scratch.path, 'arena')
    const filter = (path: string): boolean => !LEFT_OUT.has(path.slice(ARENA.length).split('/')[0]!)
    cpSync(ARENA, folder, { recursive: true, filter })
    symlinkSync(join(ARENA, 'node_modules'), join(folder, 'node_modules'))
    return new ArenaCopy(folder, scratch)
  }

  get main(): string {
    return join(this.folder, 'src', 'main.js')
  }

  /** Replaces a piece of text in a file of `src`. Returns the line where it was. */
  edit(file: string, from: string, to: string): number {
    const path = join(this.folder, 'src', file)
    const text = readFileSync(path, 'utf8')
    const at = text.indexOf(from)
    if (at === -1) throw new RangeError(`${file} has no "${from}"`)
    if (!this.#before.has(file)) this.#before.set(file, text)
    writeFileSync(
      path,
      text.replace(from, () => to),
    )
    return text.slice(0, at).split('\n').length
  }

  /** Takes back all edits of a file. */
  restore(file: string): void {
    const text = this.#before.get(file)
    if (text !== undefined) writeFileSync(join(this.folder, 'src', file), text)
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#scratch[Symbol.asyncDispose]()
  }
}
