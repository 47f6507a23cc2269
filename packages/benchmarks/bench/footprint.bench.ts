// What the packages cost before they do anything: on disk, in a browser's download, at the start of a process, in memory.
// The controls are Node itself, for start and memory; sizes are facts and need none. Start and memory are of a process
// that has been started before on this machine: the arena keeps compiled code in the cache of Node.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { EtcdProcess, scratchFolder } from '@rts/testing'
import { build } from 'esbuild'
import { check, interleave, report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { publishedPackages, root } from '../../../scripts/workspace.ts'
import { packPackages } from '../../../scripts/pack.ts'

const KB = 1000
const MB = 1000 * KB
const STARTS = 5
const IDLE_MS = 3000
const ARENA = join(root, 'examples', 'arena', 'src', 'main.js')
const MAX_DEPENDENCIES: Readonly<Record<string, number>> = {
  json5x: 0,
  timer: 0,
  ecs: 0,
  kcp: 1,
  rpc: 1,
}

const run = promisify(execFile)
const row = (name: string, contender: string, value: number, unit: string): BenchRow => ({
  case: name,
  contender,
  value,
  unit,
  ratio: 1,
})

// ---- installed: each package alone in a folder, by npm, from its tarball

const folderOf = (scratch: string, name: string): string => join(scratch, 'installed', name)

async function install(scratch: string, only?: string): Promise<[BenchRow[], BenchCheck[]]> {
  const tarballs = await packPackages(scratch)
  const overrides = Object.fromEntries([...tarballs].map(([name, path]) => [name, `file:${path}`]))
  const sizes: BenchRow[] = []
  const counts: BenchRow[] = []
  const checks: BenchCheck[] = []
  for (const { name, manifest } of publishedPackages()) {
    if (only !== undefined && name !== only) continue
    const folder = folderOf(scratch, name)
    await mkdir(folder, { recursive: true })
    const dependencies = { [manifest.name]: overrides[manifest.name] }
    // The overrides are for what our packages need of each other: they are in no registry yet.
    const wanted = JSON.stringify({ private: true, dependencies, overrides })
    await writeFile(join(folder, 'package.json'), wanted)
    const flags = ['--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
    await run('npm', ['install', ...flags], { cwd: folder })

    const size = sizeOf(join(folder, 'node_modules')) / MB
    const direct = Object.keys(manifest.dependencies ?? {}).length
    sizes.push(row('install size', manifest.name, size, 'MB'))
    counts.push(row('dependencies', manifest.name, direct, 'direct'))
    counts.push(row('dependencies', manifest.name, packagesIn(folder) - 1, 'in all'))
    const most = MAX_DEPENDENCIES[name]
    if (most !== undefined) checks.push(check(`dependencies of ${name}`, direct, `<= ${most}`))
  }
  return [[...sizes, ...counts], checks]
}

/** How many packages npm put there; optional ones for other machines stand in the lock file alone. */
function packagesIn(folder: string): number {
  const lock: { packages: object } = JSON.parse(
    readFileSync(join(folder, 'package-lock.json'), 'utf8'),
  )
  return Object.keys(lock.packages).filter((path) => path !== '' && existsSync(join(folder, path)))
    .length
}

function sizeOf(folder: string): number {
  const paths = globSync(join(folder, '**'), { withFileTypes: true })
  return paths
    .filter((path) => path.isFile())
    .reduce((sum, path) => sum + statSync(join(path.parentPath, path.name)).size, 0)
}

// ---- downloaded: the client with its WebSocket transport, as a page bundles it

async function bundle(resolveDir: string): Promise<[BenchRow[], BenchCheck[]]> {
  const contents = `export * from '@rts/client'\nexport { websocket } from '@rts/rpc/websocket'`
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir },
    absWorkingDir: resolveDir,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
  })
  const { contents: code, text } = outputFiles[0]!
  assert.match(text, /WebSocket/)
  const [output] = Object.values(metafile.outputs)
  const parts = new Map<string, number>()
  for (const [path, { bytesInOutput }] of Object.entries(output!.inputs)) {
    const part = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]
    if (part === undefined) continue // the entry, which is empty
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  const gzipped = gzipSync(code, { level: 9 }).length / KB
  return [
    [
      row('browser client', 'gzip', gzipped, 'KB'),
      row('browser client', 'minified', code.length / KB, 'KB'),
      ...[...parts].map(([part, bytes]) => row('browser client, minified', part, bytes / KB, 'KB')),
    ],
    [check('browser client, gzip KB', gzipped, '<= 25')],
  ]
}

// ---- running: one node of the arena as a process of its own

interface Program {
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}
const KEEP_RUNNING = "console.log('is ready'); setInterval(() => {}, 2 ** 30)"

async function runNodes(scratch: string): Promise<[BenchRow[], BenchCheck[]]> {
  await using etcd = await EtcdProcess.start()
  let started = 0
  const lobby = (conditions: readonly string[]) => (): Program => {
    // A name of its own: the entry of one that was killed stays for the time of its lease.
    const id = `lobby_${(started += 1)}`
    const options = ['--role', 'lobby', '--id', id, '--store', join(scratch, `${id}.sqlite`)]
    return { args: [...conditions, ARENA, ...options], env: { ETCD_URL: etcd.url } }
  }
  const programs: Readonly<Record<string, () => Program>> = {
    'node alone': () => ({ args: ['--eval', KEEP_RUNNING] }),
    'a lobby, packages as built': lobby([]),
    'a lobby, packages from source': lobby(['--conditions=@rts/source']),
  }
  const idle = new Map<string, number[]>(Object.keys(programs).map((name) => [name, []]))
  const entries = Object.entries(programs)
  const starts = entries.map(([name, program]) => [
    name,
    async () => {
      const { startMs, idleMb } = await startAndIdle(program(), scratch)
      idle.get(name)!.push(idleMb)
      return startMs
    },
  ])
  const start = await interleave('start', 'ms', Object.fromEntries(starts), STARTS)
  const memory = entries.map(([name]) => [name, () => idle.get(name)!.shift()!])
  const rss = await interleave('idle RSS', 'MB', Object.fromEntries(memory), STARTS)
  const checks = [start, rss].flatMap((rows) =>
    rows
      .filter(({ contender }) => contender !== 'node alone')
      .map(({ case: name, contender, value, unit }) =>
        check(`${name} of ${contender}, ${unit}`, value, name === 'start' ? '<= 1000' : '<= 110'),
      ),
  )
  return [[...start, ...rss], checks]
}

/** How long a program takes until it says that it is ready, and its memory when it has been idle for a while. */
async function startAndIdle(
  { args, env }: Program,
  cwd: string,
): Promise<{ startMs: number; idleMb: number }> {
  const began = performance.now()
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  try {
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('is ready')) resolve()
      })
      child.on('close', () => reject(new Error(`it ended before it was ready: ${output}`)))
    })
    const startMs = performance.now() - began
    await sleep(IDLE_MS)
    const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(child.pid)])
    return { startMs, idleMb: (Number(stdout) * 1024) / MB }
  } finally {
    child.kill()
    await exited
  }
}

await using scratch = await scratchFolder('footprint')
// `pnpm bench footprint --client`: the browser's download alone, for those who work on it.
const isClientAlone = process.argv.includes('--client')
const installed = await install(scratch.path, isClientAlone ? 'client' : undefined)
const downloaded = await bundle(folderOf(scratch.path, 'client'))
const parts = isClientAlone
  ? [installed, downloaded]
  : [installed, downloaded, await runNodes(scratch.path)]
report(
  'footprint',
  parts.flatMap(([rows]) => rows),
  parts.flatMap(([, checks]) => checks),
)
