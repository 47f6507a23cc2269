import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { scratchFolder } from '@rts/testing'
import { describe, expect, test } from 'vitest'

const ARENA = join(import.meta.dirname, '..')
const WORKSPACE = join(ARENA, '..', '..')
const CATALOG = join(WORKSPACE, 'pnpm-workspace.yaml')
const PACK = join(WORKSPACE, 'scripts', 'pack.ts')
// A machine that has none of it yet downloads some 100 MB, most of it the Node.
const TIMEOUT_MS = 300_000
const LEFT_BEHIND = ['node_modules', '.data', '.artifacts']

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  overrides?: Record<string, string>
}

// In a copy there is nothing to copy from.
describe.skipIf(!existsSync(CATALOG))('a copy of this folder outside the workspace', () => {
  test(
    'installs with npm, and its types, its tests and its demo hold on the packed packages',
    { timeout: TIMEOUT_MS },
    async () => {
      await using scratch = await scratchFolder('copy')
      const game = join(scratch.path, 'my-game')
      await cp(ARENA, game, { recursive: true, filter: (path) => !isLeftBehind(path) })
      await useTarballs(join(game, 'package.json'), await pack(join(scratch.path, 'tarballs')))

      const npm = (...args: string[]): Promise<string> => run('npm', args, game, strangersEnv())
      await npm('install', '--prefer-offline', '--no-audit', '--no-fund')
      // Its own Node, whichever one ran npm.
      expect(await npm('exec', '--', 'node', '--version')).toMatch(/^v24\./m)
      await npm('run', 'typecheck')
      expect(await npm('test')).toMatch(/Tests .*passed/)
      const demo = await npm('run', 'demo', '--', '--seconds', '3', '--port', '0')
      expect(demo).toContain('the checks of the bots held')
      expect(await readdir(game)).toContain('.data')
    },
  )
})

const isLeftBehind = (path: string): boolean => LEFT_BEHIND.includes(basename(path))

/** The tarball of each of our packages, under its name. */
async function pack(folder: string): Promise<Record<string, string>> {
  await mkdir(folder)
  await run(process.execPath, [PACK, folder], WORKSPACE, process.env)
  const files = await readdir(folder)
  return Object.fromEntries(
    files.map((file) => [file.replace(/^rts-(.+)-\d.*$/, '@rts/$1'), `file:${join(folder, file)}`]),
  )
}

/** Writes out what only the workspace knows: where our packages are, and the versions of the others. */
async function useTarballs(file: string, tarballs: Record<string, string>): Promise<void> {
  const manifest: Manifest = JSON.parse(await readFile(file, 'utf8'))
  const [, catalog = ''] = /^catalog:\n((?: +.*\n)+)/m.exec(await readFile(CATALOG, 'utf8')) ?? []
  const versions = Object.fromEntries(
    [...catalog.matchAll(/^ +'?([^\s':]+)'?: '?([^'\n]+)/gm)].map(([, name, range]) => [
      name,
      range,
    ]),
  )
  for (const list of [manifest.dependencies, manifest.devDependencies]) {
    for (const [name, range] of Object.entries(list)) {
      if (range.startsWith('workspace:')) list[name] = tarballs[name] ?? range
      if (range === 'catalog:') list[name] = versions[name] ?? range
    }
  }
  // They are in no registry yet, so what they need of each other comes from here too.
  manifest.overrides = tarballs
  await writeFile(file, JSON.stringify(manifest, undefined, 2))
}

/** This environment without what the workspace and its test runner put into it. */
function strangersEnv(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) =>
      !/^(VITEST|npm_(lifecycle|package)_|NODE_(ENV|OPTIONS|PATH)$|FORCE_COLOR$)/.test(name),
  )
  const path = process.env['PATH']?.split(delimiter).filter((entry) => !entry.startsWith(WORKSPACE))
  return { ...Object.fromEntries(entries), PATH: path?.join(delimiter), NO_COLOR: '1' }
}

/** What a command says; an error with all of it when the command fails. */
async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, env })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout ?? ''}\n${stderr ?? ''}`, {
      cause: error,
    })
  }
}
