import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An empty folder of its own, gone with all it holds when disposed. */
export interface ScratchFolder extends AsyncDisposable {
  readonly path: string
}

/**
 * Makes an empty folder under the system's temporary folder.
 *
 * @param prefix - What its name begins with.
 */
export async function scratchFolder(prefix = 'rts-test-'): Promise<ScratchFolder> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  return {
    path,
    // Retries: a process that was just killed may still be writing here.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}
