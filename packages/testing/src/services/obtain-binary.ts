import { join } from 'node:path'
import { installPackage, unpackPackage, whyNoApt } from './apt.ts'
import { openCacheFolder } from './cache-folder.ts'
import { findBinary, unpackedName, type FoundBinary } from './find-binary.ts'
import { withLockFolder } from './install-lock.ts'
import type { ServiceDescription } from './service-descriptions.ts'

export interface ObtainOptions {
  /** Whether a Debian package may be fetched when there is no program yet. @defaultValue true */
  readonly install?: boolean
  /** Where `PATH`, URLs and paths are read. @defaultValue process.env */
  readonly env?: NodeJS.ProcessEnv
  /** Told before something that takes long. */
  readonly onProgress?: (message: string) => void
}

export interface Missing {
  /** What was tried and why it did not do. */
  readonly missing: string
}

/** The program of a service: the one that is there, or fetched by apt as root on Debian. */
export async function obtainBinary(
  description: ServiceDescription,
  options: ObtainOptions = {},
): Promise<FoundBinary | Missing> {
  const { install = true, env = process.env, onProgress } = options
  const { apt, binaries, binaryVariable } = description
  const present = findBinary(description, env)
  if (present !== undefined) return present
  if (env[binaryVariable])
    return { missing: `${binaryVariable}=${env[binaryVariable]} is not a program` }
  const notFound = `no ${binaries.join(' or ')} on PATH`
  const whyNot = install ? await whyNoApt() : 'installing is switched off'
  if (whyNot !== undefined) return { missing: `${notFound}, ${whyNot}` }
  try {
    const cache = await openCacheFolder(env)
    // One lock for all packages, since apt has but one as well.
    return await withLockFolder(join(cache, 'install.lock'), async () => {
      const meanwhile = findBinary(description, env)
      if (meanwhile !== undefined) return meanwhile
      onProgress?.(`fetching the Debian package ${apt.name}`)
      if (apt.into === 'cache') await unpackPackage(apt.name, join(cache, unpackedName(apt.name)))
      else await installPackage(apt.name)
      const installed = findBinary(description, env)
      return installed ?? { missing: `the Debian package ${apt.name} holds no ${binaries[0]}` }
    })
  } catch (error) {
    return { missing: `${notFound}, and ${(error as Error).message}` }
  }
}
