// A program in a process of its own, from source texts: what only a whole process shows.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scratchFolder } from '@rts/testing'

const run = promisify(execFile)
/** What a program imports the package from. */
export const INDEX: string = fileURLToPath(new URL('../src/index.ts', import.meta.url))

interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly folder: string
}

/** Writes the files and runs `main.ts` among them. */
export async function runProgram(
  files: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Output> {
  await using scratch = await scratchFolder('rts-reload-')
  const folder = scratch.path
  for (const [name, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const args = ['--conditions=@rts/source', '--disable-warning=ExperimentalWarning', ...flags]
  try {
    return { ...(await run(process.execPath, [...args, 'main.ts'], { cwd: folder })), folder }
  } catch (error) {
    return { ...(error as { stdout: string; stderr: string }), folder }
  }
}
