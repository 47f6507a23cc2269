import { statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME = 'rts-testing'

/** Where the cache may be: the user's cache folder, or where that cannot be written, a temporary one. */
export function cacheFolderCandidates(env: NodeJS.ProcessEnv): readonly string[] {
  const own = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache')
  return [join(own, NAME), join(tmpdir(), `${NAME}-${process.getuid?.() ?? 'user'}`)]
}

/** Makes the cache folder of this user and gives its path. */
export async function openCacheFolder(env: NodeJS.ProcessEnv): Promise<string> {
  let failure: unknown
  for (const folder of cacheFolderCandidates(env)) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      if (isOurs(folder)) return folder
    } catch (error) {
      failure = error
    }
  }
  throw new Error('no folder for a cache can be written', { cause: failure })
}

/** Programs run from here, so nobody else may have laid it out or write to it. */
export function isOurs(folder: string): boolean {
  try {
    const { uid, mode } = statSync(folder)
    return uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0
  } catch {
    return false
  }
}
