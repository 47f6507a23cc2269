import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { publishedPackages } from '../workspace.ts'

function runFile(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=@rts/source', file], {
      // What an example writes goes with its folder.
      cwd: dirname(file),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('close', (code) => resolve({ code, output }))
  })
}

/** The error codes a source names: words that begin with the package's own prefix. */
const codesIn = (text: string, name: string): string[] =>
  [...new Set(text.match(new RegExp(`\\b${name.toUpperCase()}_[A-Z0-9_]+\\b`, 'g')))].sort()

for (const { name, folder } of publishedPackages()) {
  test(`the first example in the README of @rts/${name} runs`, async () => {
    const readme = await readFile(join(folder, 'README.md'), 'utf8')
    const example = /```ts\n([^]*?)```/.exec(readme)?.[1]
    expect(example, 'the README has no TypeScript example').toBeDefined()
    const scratch = join(folder, '.artifacts')
    await mkdir(scratch, { recursive: true })
    const file = join(scratch, 'readme-example.ts')
    await writeFile(file, example ?? '')
    try {
      const { code, output } = await runFile(file)
      expect(code, output).toBe(0)
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  })
}

const withErrors = publishedPackages().filter(({ folder }) =>
  existsSync(join(folder, 'src', 'errors.ts')),
)
for (const { name, folder } of withErrors) {
  test(`the README of @rts/${name} explains every error code, and no other`, async () => {
    const codes = codesIn(await readFile(join(folder, 'src', 'errors.ts'), 'utf8'), name)
    const readme = await readFile(join(folder, 'README.md'), 'utf8')
    const rows = [...readme.matchAll(/^\|[^|]*/gm)].map(([cell]) => cell).join('\n')
    expect(codes.length).toBeGreaterThan(0)
    expect(codesIn(rows, name)).toEqual(codes)
  })
}
