import { spawn } from 'node:child_process'

/** The most output kept of a command, from its end. */
const MAX_OUTPUT_CHARACTERS = 16_384

export interface CommandResult {
  readonly ok: boolean
  /** The end of what it wrote to stdout and stderr, or why it could not be started. */
  readonly output: string
}

/** Runs a command to its end, or kills it after `timeoutMs`. Never rejects. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly env?: NodeJS.ProcessEnv },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    })
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT_CHARACTERS)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => resolve({ ok: false, output: error.message }))
    child.once('close', (code, signal) => {
      const killed = signal === null ? '' : `\nended by ${signal}`
      resolve({ ok: code === 0, output: `${output.trimEnd()}${killed}` })
    })
  })
}

/** The last line of an output that says something. */
export function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1)?.trim() ?? ''
}
