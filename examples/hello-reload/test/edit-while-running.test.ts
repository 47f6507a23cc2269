import { spawn } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually, scratchFolder } from '@rts/testing'
import { expect, test } from 'vitest'

const example = fileURLToPath(new URL('..', import.meta.url))

test('a saved edit reaches the running process, which goes on counting; a broken one does not', async () => {
  await using scratch = await scratchFolder('hello-reload-')
  cpSync(join(example, 'src'), join(scratch.path, 'src'), { recursive: true })
  cpSync(join(example, 'package.json'), join(scratch.path, 'package.json'))
  symlinkSync(join(example, 'node_modules'), join(scratch.path, 'node_modules'))
  const { scripts } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const [, ...args] = scripts.start.split(' ')
  const child = spawn(process.execPath, args, { cwd: scratch.path })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  try {
    await eventually(() => expect(output).toContain('hello 3'), { timeoutMs: 20_000 })
    const file = join(scratch.path, 'src/greeter.ts')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('hello', 'good day'))
    await eventually(() => expect(output).toMatch(/version 2 after[^]*good day (?:[4-9]|\d\d)/), {
      timeoutMs: 20_000,
    })
    writeFileSync(file, `${text}}`)
    await eventually(
      () => expect(output).toMatch(/not reloaded: .*greeter\.ts:\d+:\d+[^]*good day/),
      {
        timeoutMs: 20_000,
      },
    )
  } finally {
    child.kill()
  }
})
