// What the repository's own scripts and tests know about the packages.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root: string = join(import.meta.dirname, '..')

export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Package {
  /** The folder's name, which is also the name behind `@rts/`. */
  readonly name: string
  readonly folder: string
  readonly manifest: Manifest
}

export function packages(): Package[] {
  return readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => {
      const folder = join(root, 'packages', name)
      const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      return { name, folder, manifest }
    })
}

export const publishedPackages = (): Package[] =>
  packages().filter(({ manifest }) => manifest.private !== true)
