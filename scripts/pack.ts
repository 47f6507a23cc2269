// What users of the packages get. As a program, `node pack.ts FOLDER` puts a tarball of each into the folder.
import { execFile } from 'node:child_process'
import { globSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { publishedPackages, root, type Package } from './workspace.ts'

const TSUP = join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js')
const BUILDS_AT_ONCE = 2

const run = promisify(execFile)

/**
 * Packs every published package as it would be published, after building those whose source is newer than their build.
 *
 * @returns The path of each tarball under the package's name.
 */
export async function packPackages(folder: string): Promise<ReadonlyMap<string, string>> {
  const packages = publishedPackages()
  const stale = packages.filter((one) => isStale(one))
  await Promise.all(Array.from({ length: BUILDS_AT_ONCE }, () => buildFrom(stale)))
  await pnpm([
    '--recursive',
    '--filter=./packages/*',
    'pack',
    '--pack-destination',
    resolve(folder),
  ])
  const files = readdirSync(folder)
  return new Map(
    packages.map(({ name, manifest }) => {
      const file = files.find((other) => other.replace(/-\d.*/, '') === `rts-${name}`)
      if (file === undefined) throw new Error(`${manifest.name} was not packed into ${folder}`)
      return [manifest.name, resolve(folder, file)]
    }),
  )
}

function isStale({ folder }: Package): boolean {
  const changedAt = (files: readonly string[]): number[] =>
    files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  const sources = globSync(join(folder, 'src', '**', '*.ts'))
  const configs = [join(folder, 'tsup.config.ts'), join(root, 'tsup.base.ts')]
  const [builtAt = 0] = changedAt([join(folder, 'dist', 'index.js')])
  return Math.max(...changedAt([...sources, ...configs])) > builtAt
}

/** Takes packages from the list until it is empty; several may share a list. */
async function buildFrom(list: Package[]): Promise<void> {
  for (let next = list.shift(); next !== undefined; next = list.shift())
    await run(process.execPath, [TSUP], { cwd: next.folder })
}

/** The pnpm that runs this, or the one the README says. */
async function pnpm(args: readonly string[]): Promise<void> {
  try {
    await run('pnpm', args, { cwd: root })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await run('npx', ['-y', 'pnpm@12', ...args], { cwd: root })
  }
}

if (import.meta.main) await packPackages(process.argv[2] ?? '.')
