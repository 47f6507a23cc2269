import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheFolderCandidates, isOurs } from './cache-folder.ts'
import type { ServiceDescription } from './service-descriptions.ts'

/** Looked into after `PATH`, which may be short where tests run. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/local/sbin', '/usr/sbin']

/** A program that can be run. */
export interface FoundBinary {
  readonly path: string
  /** Where it came from, for people. */
  readonly how: string
  /** What its environment needs besides; not empty when it was unpacked beside its libraries. */
  readonly env: Readonly<Record<string, string>>
}

/** The program as far as it can be had without installing anything. */
export function findBinary(
  description: ServiceDescription,
  env: NodeJS.ProcessEnv = process.env,
): FoundBinary | undefined {
  const { binaryVariable, binaries } = description
  const named = env[binaryVariable]
  // A path somebody gave is meant: when it is wrong, that is told and nothing else is tried.
  if (named) return isProgram(named) ? found(named, binaryVariable) : undefined
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  for (const folder of [...folders, ...USUAL_FOLDERS]) {
    for (const binary of binaries) {
      const path = join(folder, binary)
      if (isProgram(path)) return found(path, path)
    }
  }
  return findUnpacked(description, env)
}

/** The program as `unpackPackage` left it in the cache folder. */
export function findUnpacked(
  { apt, binaries }: ServiceDescription,
  env: NodeJS.ProcessEnv,
): FoundBinary | undefined {
  if (apt.into !== 'cache') return undefined
  for (const cache of cacheFolderCandidates(env)) {
    const folder = join(cache, unpackedName(apt.name))
    for (const binary of binaries) {
      const path = join(folder, 'usr/bin', binary)
      if (isOurs(cache) && isProgram(path))
        return { ...found(path, `Debian package ${apt.name}, unpacked`), env: libraryEnv(folder) }
    }
  }
  return undefined
}

/** The folder in the cache: a program for one processor is no use on another. */
export const unpackedName = (packageName: string): string => `${packageName}-${process.arch}`

const found = (path: string, how: string): FoundBinary => ({ path, how, env: {} })

function libraryEnv(folder: string): Record<string, string> {
  const lib = join(folder, 'usr/lib')
  if (!existsSync(lib)) return {}
  const folders = readdirSync(lib).filter((name) => name.includes('-linux-'))
  return { LD_LIBRARY_PATH: [lib, ...folders.map((name) => join(lib, name))].join(delimiter) }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
