// Examples in Markdown: finding them, and running them as a reader would.
import { spawn } from 'node:child_process'
import { dirname } from 'node:path'

/** The contents of a text's code blocks of one language. */
export const codeBlocks = (markdown: string, language: string): string[] =>
  [...markdown.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, code]) => code ?? '',
  )

export interface Outcome {
  readonly code: number | null
  /** What it printed, to stdout and stderr. */
  readonly output: string
}

/** Runs a program to its end; one that cannot be started has no exit code. */
export function runProgram(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => resolve({ code: null, output: `${output}${error.message}` }))
    child.on('close', (code) => resolve({ code, output }))
  })
}

/** Runs a TypeScript file on the packages' sources, in its own folder: what it writes goes with that. */
export const runExample = (file: string): Promise<Outcome> =>
  runProgram(process.execPath, ['--conditions=@rts/source', file], dirname(file))
