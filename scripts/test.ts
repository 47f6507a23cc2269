// `pnpm test`: every check there is, in order, with one summary. Exits 1 when anything failed.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provideServices } from '@rts/testing'
import { publishedPackages, root } from './workspace.ts'

const inCi = Boolean(process.env['CI'])
const started = performance.now()

interface Tally {
  passed: number
  failed: number
  skipped: number
}
const total: Tally = { passed: 0, failed: 0, skipped: 0 }
const lines: string[] = []

interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** Runs a command; its output is kept, or shown as it comes when `show` is set. */
function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0', ...options.env },
      stdio: options.show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => resolve({ ok: false, output: `${output}${error.message}` }))
    child.on('close', (code) => resolve({ ok: code === 0, output }))
  })
}
interface RunOptions {
  readonly cwd?: string
  readonly show?: boolean
  readonly env?: Record<string, string>
}

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

/** One check that passes or fails as a whole; prints its output only when it fails. */
async function check(name: string, work: () => Promise<Outcome>): Promise<boolean> {
  const began = performance.now()
  const { ok, output } = await work()
  total[ok ? 'passed' : 'failed'] += 1
  console.log(`${ok ? '✓' : '✗'} ${name} (${seconds(began)})`)
  if (!ok) {
    console.log(output.trimEnd())
    lines.push(`failed: ${name}`)
  }
  return ok
}

/** Runs checks of several packages two at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all([worker(), worker()])
}

/** Runs vitest projects side by side and adds their counts to the total. */
async function suite(projects: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const name = projects.join(' and ')
  const folder = await mkdtemp(join(tmpdir(), 'rts-test-'))
  const report = join(folder, 'report.json')
  const began = performance.now()
  console.log(`\n— ${name}`)
  const { ok } = await run(
    'vitest',
    [
      'run',
      ...projects.flatMap((project) => ['--project', project]),
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { show: true, env },
  )
  const text = await readFile(report, 'utf8').catch(() => undefined)
  await rm(folder, { recursive: true, force: true })
  const result = text === undefined ? undefined : JSON.parse(text)
  const failed: number = result?.numFailedTests ?? 0
  total.passed += result?.numPassedTests ?? 0
  total.skipped += (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0)
  // A suite can fail without a failed test: a file that does not load, an error outside a test.
  total.failed += ok ? 0 : Math.max(failed, 1)
  if (!ok) lines.push(`failed: ${name} tests (${failed} tests failed)`)
  console.log(`${ok ? '✓' : '✗'} ${name} tests (${seconds(began)})`)
}

console.log('— format, lint, types')
await check('format', () => run('oxfmt', ['--check']))
await check('lint', () => run('oxlint', ['--deny-warnings']))
await check('unused files, exports and dependencies', () => run('knip', []))
await check('types', () => run('tsc', ['-p', 'tsconfig.json']))
await check('types of the page', () => run('tsc', ['-p', 'examples/arena/web/tsconfig.json']))

const packages = publishedPackages()
await check('isolated declarations', async () => {
  for (const { folder } of packages) {
    const outcome = await run('tsc', ['-p', join(folder, 'tsconfig.json')])
    if (!outcome.ok) return outcome
  }
  return { ok: true, output: '' }
})

console.log('\n— build and publish')
if (await check('build', () => run('pnpm', ['run', 'build']))) {
  await each(packages, async ({ name, folder }) => {
    await check(`publint @rts/${name}`, () => run('publint', ['--strict', folder]))
    await check(`attw @rts/${name}`, () =>
      run('attw', ['--pack', folder, '--profile', 'esm-only', '--no-emoji']),
    )
  })
  await check('release, dry run', () => run('node', ['scripts/release.ts', '--dry-run']))
}

await suite(['unit'])

const services = await provideServices(['etcd', 'chromium', 'kcptun'])
for (const service of services.services) {
  if ('url' in service) lines.push(`used: ${service.name} (${service.how})`)
  else {
    lines.push(`missing: ${service.name}: ${service.missing}; its tests are skipped`)
    if (inCi) total.failed += 1
  }
}
try {
  await suite(['services', 'examples'], services.env)
  await suite(['e2e'], services.env)
} finally {
  await services.stop()
}

console.log(`\n— summary (${seconds(started)}, Node ${process.version})`)
for (const line of lines) console.log(line)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1
