import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../src/index.ts'

test('is there, empty and by itself, until it is disposed with all it holds', async () => {
  let path: string
  {
    await using folder = await scratchFolder('my-prefix-')
    await using other = await scratchFolder('my-prefix-')
    path = folder.path
    expect(basename(path)).toMatch(/^my-prefix-/)
    expect(other.path).not.toBe(path)
    await mkdir(join(path, 'deep', 'er'), { recursive: true })
    await writeFile(join(path, 'deep', 'er', 'file'), 'x')
  }
  expect(existsSync(path)).toBe(false)
})
