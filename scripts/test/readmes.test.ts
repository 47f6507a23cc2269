import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { publishedPackages } from '../workspace.ts'

function runFile(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=@rts/source', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('close', (code) => resolve({ code, output }))
  })
}

/** The literals of `export type SomethingErrorCode = 'A' | 'B'`. */
function errorCodes(source: string): string[] {
  const union =
    /export type \w+ErrorCode =([^]*?)(?:\n\n|\n(?:export|\/\*\*))/.exec(`${source}\n\n`)?.[1] ?? ''
  return [...union.matchAll(/'([A-Z0-9_]+)'/g)].map((match) => match[1]!).sort()
}

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
    const codes = errorCodes(await readFile(join(folder, 'src', 'errors.ts'), 'utf8'))
    const readme = await readFile(join(folder, 'README.md'), 'utf8')
    const rows = [...readme.matchAll(/^\|\s*`([A-Z0-9_]+)`/gm)].map((match) => match[1]!)
    const prefix = codes[0]?.split('_')[0] ?? ''
    expect(codes.length).toBeGreaterThan(0)
    expect([...new Set(rows.filter((row) => row.startsWith(`${prefix}_`)))].sort()).toEqual(codes)
  })
}
