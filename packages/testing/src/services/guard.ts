import { spawn, type ChildProcess } from 'node:child_process'

/**
 * A shell that waits until this process has closed a pipe, which happens even when it is killed,
 * and then does away with the process or docker container it was told of.
 */
const SCRIPT = `
read -r kind name folder
while read -r _; do :; done
case $kind in
  process) kill -9 "$name" ;;
  container) docker rm -f "$name" ;;
esac
[ -z "$folder" ] || rm -rf -- "$folder"
`

export interface Ward {
  readonly kind: 'process' | 'container'
  /** The process id, or the container's name. */
  readonly name: string
  /** A folder to remove with it. */
  readonly folder?: string
}

const processesToKill = new Set<string>()
let isExitWatched = false

/** Does away with its ward when this process ends, in whatever way, before `dismiss`. */
export class Guard {
  readonly #shell: ChildProcess | undefined
  #ward: Ward | undefined

  /** @param env - Where the guard finds `docker`. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    if (process.platform === 'win32') return
    // A process group of its own: a Ctrl-C in the terminal must not end the guard first.
    const shell = spawn('sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env,
    })
    shell.once('error', () => {})
    shell.stdin.on('error', () => {})
    shell.unref()
    this.#shell = shell
  }

  watch(ward: Ward): void {
    this.#ward = ward
    const { kind, name, folder = '' } = ward
    this.#shell?.stdin?.write(`${kind} ${name} ${folder}\n`)
    if (kind === 'process') killAtExit(name)
  }

  dismiss(): void {
    if (this.#ward !== undefined) processesToKill.delete(this.#ward.name)
    this.#shell?.kill('SIGKILL')
  }
}

/** In an orderly exit nothing should outlive this process even by a moment. */
function killAtExit(pid: string): void {
  processesToKill.add(pid)
  if (isExitWatched) return
  isExitWatched = true
  process.once('exit', () => {
    for (const each of processesToKill) {
      try {
        process.kill(Number(each), 'SIGKILL')
      } catch {
        // It ended by itself just now.
      }
    }
  })
}
