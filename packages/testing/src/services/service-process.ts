import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { TestingError } from '../errors.ts'
import { freePort } from '../free-port.ts'
import type { FoundBinary } from './find-binary.ts'
import { Guard } from './guard.ts'
import { obtainBinary } from './obtain-binary.ts'
import {
  serviceDescriptions,
  type ServerDescription,
  type ServiceDescription,
  type ServiceName,
} from './service-descriptions.ts'
import { waitUntilStopped } from './stopped.ts'

const MAX_OUTPUT_CHARACTERS = 16_384
const READY_INTERVAL_MS = 20
const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 5_000
const MAX_START_TRIES = 3
const PORT_TAKEN = /address already in use/i

export interface ServiceProcessOptions {
  /** The program. @defaultValue what is found, or installed as the README says */
  readonly binary?: string
  /** Environment variables for it, besides those of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** How long it may take to serve, in milliseconds. @defaultValue 20000 */
  readonly startTimeoutMs?: number
  /** How long `stop` waits after SIGTERM before it kills, in milliseconds. @defaultValue 5000 */
  readonly stopTimeoutMs?: number
  /** More arguments for the program. */
  readonly args?: readonly string[]
}

export interface RestartOptions {
  /** Begin with an empty folder: all data is gone, and etcd is another cluster. @defaultValue false */
  readonly empty?: boolean
}

/**
 * A server process that belongs to the test that started it: on free loopback ports, with a scratch
 * folder. It is killed when this process ends, even by SIGKILL.
 */
export class ServiceProcess implements AsyncDisposable {
  readonly name: string
  readonly url: string
  readonly port: number
  /** Its scratch folder. */
  readonly folder: string
  readonly #binary: FoundBinary
  readonly #server: ServerDescription
  readonly #options: ServiceProcessOptions
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  #output = ''
  #version = ''

  private constructor(
    name: string,
    server: ServerDescription,
    binary: FoundBinary,
    port: number,
    folder: string,
    options: ServiceProcessOptions,
  ) {
    this.name = name
    this.#server = server
    this.#binary = binary
    this.#options = options
    this.folder = folder
    this.port = port
    this.url = server.url(this.port)
  }

  /**
   * Starts one and resolves when it serves.
   *
   * @throws TestingError `TESTING_SERVICE_MISSING` without a program to run,
   *   `TESTING_SERVICE_FAILED` when it does not come to serve.
   */
  static async start(
    name: ServiceName,
    options: ServiceProcessOptions = {},
  ): Promise<ServiceProcess> {
    const description = serviceDescriptions[name]
    if (description.server === undefined) throw new TypeError(`${name} is not a server`)
    const binary = await binaryFor(description, options)
    for (let tries = 1; ; tries += 1) {
      const service = await ServiceProcess.#place(description, binary, options)
      try {
        await service.#start()
        return service
      } catch (error) {
        await service.stop()
        // Another process took the port between our look and its start.
        if (tries === MAX_START_TRIES || !PORT_TAKEN.test(service.output)) throw error
      }
    }
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Its process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What it says it is. */
  get version(): string {
    return this.#version
  }

  /** The end of what it wrote to stdout and stderr. */
  get output(): string {
    return this.#output
  }

  /** Kills it at once (SIGKILL), as a crash or the OOM killer does. Its data stays for `restart`. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Freezes it (SIGSTOP): connections stay open, and from its return on nothing is answered. */
  pause(): void {
    const child = this.#child
    if (child?.kill('SIGSTOP') === true && child.pid !== undefined) waitUntilStopped(child.pid)
  }

  /** Ends a `pause` (SIGCONT). */
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Starts it again on the same port, with its data; kills it first when it runs. */
  async restart(options: RestartOptions = {}): Promise<void> {
    await this.kill()
    if (options.empty === true) await this.#empty()
    await this.#start()
  }

  /** Ends it (SIGTERM, then SIGKILL) and removes its folder. Safe to call twice. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child !== undefined) {
      child.kill('SIGTERM')
      // One that is paused gets the signal only when it goes on.
      child.kill('SIGCONT')
      const late = new AbortController()
      const patience = pause(this.#options.stopTimeoutMs ?? STOP_TIMEOUT_MS, undefined, {
        signal: late.signal,
      })
      await Promise.race([this.#exited, patience.catch(() => {})])
      late.abort()
      await this.kill()
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  static async #place(
    { name, server }: ServiceDescription,
    binary: FoundBinary,
    options: ServiceProcessOptions,
  ): Promise<ServiceProcess> {
    const port = await freePort()
    const folder = await mkdtemp(join(tmpdir(), `rts-${name}-`))
    return new ServiceProcess(name, server!, binary, port, folder, options)
  }

  async #start(): Promise<void> {
    this.#spawn()
    const { startTimeoutMs = START_TIMEOUT_MS } = this.#options
    const deadline = AbortSignal.timeout(startTimeoutMs)
    let failure: unknown
    while (this.isRunning && !deadline.aborted) {
      try {
        this.#version = await this.#server.version(this.url, deadline)
        return
      } catch (error) {
        failure = error
        await pause(READY_INTERVAL_MS)
      }
    }
    const why = this.isRunning ? `does not serve after ${startTimeoutMs} ms` : 'ended by itself'
    await this.kill()
    const message = `${this.name} (${this.#binary.path}) ${why}; it said:\n${excerpt(this.#output)}`
    throw new TestingError('TESTING_SERVICE_FAILED', message, { cause: failure })
  }

  #spawn(): void {
    const guard = new Guard()
    const args = this.#server.args(this.port, this.folder, randomUUID())
    const child = spawn(this.#binary.path, [...args, ...(this.#options.args ?? [])], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...this.#environment(), ...this.#binary.env, ...this.#options.env },
      // A Ctrl-C in the terminal is for the test run, which then stops this in its own order.
      detached: process.platform !== 'win32',
    })
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-MAX_OUTPUT_CHARACTERS)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    if (child.pid !== undefined)
      guard.watch({ kind: 'process', name: String(child.pid), folder: this.folder })
    this.#child = child
    this.#exited = new Promise<void>((resolve) => {
      const ended = (error?: unknown): void => {
        if (error instanceof Error) this.#output += `${error.message}\n`
        guard.dismiss()
        if (this.#child === child) this.#child = undefined
        resolve()
      }
      child.once('error', ended)
      // Not 'exit': what it said last may still be on its way then.
      child.once('close', () => ended())
    })
  }

  #environment(): NodeJS.ProcessEnv {
    const isWithheld = (name: string): boolean =>
      this.#server.withheldVariables.some((beginning) => name.startsWith(beginning))
    return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isWithheld(name)))
  }

  async #empty(): Promise<void> {
    for (const entry of await readdir(this.folder))
      await rm(join(this.folder, entry), { recursive: true, force: true })
  }
}

async function binaryFor(
  description: ServiceDescription,
  { binary }: ServiceProcessOptions,
): Promise<FoundBinary> {
  if (binary !== undefined) return { path: binary, how: binary, env: {} }
  const outcome = await obtainBinary(description)
  if ('path' in outcome) return outcome
  throw new TestingError(
    'TESTING_SERVICE_MISSING',
    `no program for ${description.name}: ${outcome.missing}`,
  )
}

/** Both ends of a long output: the complaint comes first when a usage text follows, else last. */
function excerpt(output: string): string {
  const lines = output.trim().split('\n')
  return (lines.length > 12 ? [...lines.slice(0, 4), '...', ...lines.slice(-8)] : lines).join('\n')
}
