import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { ModuleCode } from './module-code.ts'

/**
 * What modules were rewritten to, kept beside Node's compile cache where a program has that one enabled
 * (`module.enableCompileCache()`, `NODE_COMPILE_CACHE`): a start that finds all of it loads no rewriter, no parser and
 * nothing that strips types. Whatever goes wrong with it, the module is rewritten.
 */
export class RewritingCache {
  #rewriter: string | undefined

  read(file: string, text: string): ModuleCode | undefined {
    const path = this.#pathOf(file, text)
    if (path === undefined) return undefined
    try {
      return deserialize(readFileSync(path)) as ModuleCode
    } catch {
      return undefined
    }
  }

  write(file: string, text: string, code: ModuleCode): void {
    const path = this.#pathOf(file, text)
    if (path === undefined) return
    try {
      mkdirSync(join(path, '..'), { recursive: true })
      // Whole or not at all: several processes may start at once.
      const aside = `${path}.${process.pid}`
      writeFileSync(aside, serialize(code))
      renameSync(aside, path)
    } catch {
      // The disk is full, or not ours: then the next start rewrites as well.
    }
  }

  #pathOf(file: string, text: string): string | undefined {
    const folder = getCompileCacheDir()
    if (folder === undefined) return undefined
    const key = createHash('sha1')
    for (const part of [this.#ownVersion(), file, text]) key.update(part).update('\0')
    return join(folder, 'rts-reload', key.digest('hex'))
  }

  /** The rewriter's own files by their last change, so that another version of it finds nothing of this one. */
  #ownVersion(): string {
    return (this.#rewriter ??= readdirSync(import.meta.dirname)
      .map((name) => `${name} ${statSync(join(import.meta.dirname, name)).mtimeMs}`)
      .join('\n'))
  }
}
