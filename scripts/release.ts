// `pnpm release`: builds every package and publishes what the registry lacks, by changesets.
// `--dry-run` packs each package as it would be published and checks what is in the tarball.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publishedPackages, root } from './workspace.ts'

const run = (command: string, args: string[], cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const REQUIRED_FILES = ['package/package.json', 'package/README.md', 'package/LICENSE']

/** What is wrong with the tarball of one package; empty when it may be published. */
function inspect(name: string, tarball: string): string[] {
  const files = run('tar', ['-tzf', tarball]).trim().split('\n')
  const manifest = JSON.parse(run('tar', ['-xzOf', tarball, 'package/package.json']))
  const problems = REQUIRED_FILES.filter((file) => !files.includes(file)).map(
    (file) => `lacks ${file}`,
  )
  const targets = Object.values<unknown>(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry as Record<string, string>),
  )
  for (const target of targets) {
    if (!files.includes(target.replace('./', 'package/')))
      problems.push(`exports ${target}, which is not packed`)
  }
  if (JSON.stringify(manifest.exports).includes('@rts/source'))
    problems.push('exports its source condition')
  if (JSON.stringify(manifest.dependencies ?? {}).includes('workspace:'))
    problems.push('has a workspace range')
  if (files.some((file) => /\/(test|bench)\//.test(file))) problems.push('packs tests or benches')
  if (manifest.publishConfig?.access !== 'public') problems.push('is not public')
  return problems.map((problem) => `@rts/${name} ${problem}`)
}

if (process.argv.includes('--dry-run')) {
  const folder = mkdtempSync(join(tmpdir(), 'rts-pack-'))
  const problems: string[] = []
  try {
    for (const { name, folder: source } of publishedPackages()) {
      const target = join(folder, name)
      run('pnpm', ['pack', '--pack-destination', target], source)
      problems.push(...inspect(name, join(target, readdirSync(target)[0] ?? '')))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
} else {
  run('pnpm', ['run', 'build'])
  console.log(run('changeset', ['publish']))
}
