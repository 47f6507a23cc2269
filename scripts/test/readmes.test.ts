import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codeBlocks, runExample } from '../examples.ts'
import { publishedPackages } from '../workspace.ts'

/** The error codes a source names: words that begin with the package's own prefix. */
const codesIn = (text: string, name: string): string[] =>
  [...new Set(text.match(new RegExp(`\\b${name.toUpperCase()}_[A-Z0-9_]+\\b`, 'g')))].sort()

for (const { name, folder } of publishedPackages()) {
  test(`the first example in the README of @rts/${name} runs`, async () => {
    const readme = await readFile(join(folder, 'README.md'), 'utf8')
    const example = codeBlocks(readme, 'ts')[0]
    expect(example, 'the README has no TypeScript example').toBeDefined()
    const scratch = join(folder, '.artifacts')
    await mkdir(scratch, { recursive: true })
    const file = join(scratch, 'readme-example.ts')
    await writeFile(file, example ?? '')
    try {
      const { code, output } = await runExample(file)
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
