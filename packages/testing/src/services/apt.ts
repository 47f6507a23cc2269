import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastLine, runCommand, type CommandResult } from './run-command.ts'

const APT_TIMEOUT_MS = 10 * 60_000

/** Whether packages can be had here; else why not. */
export async function whyNoApt(): Promise<string | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID="?debian"?$/m.test(release)) return 'not on Debian, so not by apt'
  if (process.getuid?.() !== 0) return 'not root, so not by apt'
  return undefined
}

/**
 * Downloads a package and what it needs that is not installed, and unpacks all of it into `folder`
 * with `dpkg -x`: no maintainer script runs, no daemon starts, dpkg's database stays as it is.
 *
 * @throws Error with the last line of what failed.
 */
export async function unpackPackage(name: string, folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'rts-testing-apt-'))
  try {
    // apt downloads as its own user, who must get in.
    await chmod(work, 0o755)
    await mkdir(join(work, 'debs', 'partial'), { recursive: true })
    const debs = join(work, 'debs')
    await aptGet(['install', '--download-only', '-o', `Dir::Cache::archives=${debs}`, name])
    const unpacked = `${folder}.new-${process.pid}`
    await rm(unpacked, { recursive: true, force: true })
    await mkdir(unpacked)
    for (const deb of (await readdir(debs)).filter((file) => file.endsWith('.deb')))
      expectOk(
        'dpkg -x',
        await runCommand('dpkg', ['-x', join(debs, deb), unpacked], { timeoutMs: APT_TIMEOUT_MS }),
      )
    // The name appears with everything in it, or not at all.
    await rm(folder, { recursive: true, force: true })
    await rename(unpacked, folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Installs a package and what it must have. */
export async function installPackage(name: string): Promise<void> {
  await aptGet(['install', name])
}

/** Runs apt-get; when that fails, for instance without package lists, updates them and runs it again. */
async function aptGet(args: readonly string[]): Promise<void> {
  const first = await runAptGet(args)
  if (first.ok) return
  // Its result says little: one unreachable source of many is no obstacle.
  await runAptGet(['update'])
  expectOk('apt-get', await runAptGet(args))
}

function runAptGet(args: readonly string[]): Promise<CommandResult> {
  const options = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300']
  return runCommand('apt-get', [...options, ...args], {
    timeoutMs: APT_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
  })
}

function expectOk(what: string, { ok, output }: CommandResult): void {
  if (!ok) throw new Error(`${what} failed: ${lastLine(output)}`)
}
