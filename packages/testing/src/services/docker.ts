import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { Guard } from './guard.ts'
import type { Missing, ObtainOptions } from './obtain-binary.ts'
import { lastLine, runCommand } from './run-command.ts'
import type { ServiceDescription } from './service-descriptions.ts'

const ASK_TIMEOUT_MS = 10_000
/** Downloading the image included. */
const RUN_TIMEOUT_MS = 10 * 60_000
const START_TIMEOUT_MS = 30_000
const READY_INTERVAL_MS = 50

export interface DockerService {
  readonly url: string
  readonly version: string
  readonly image: string
  stop(): Promise<void>
}

/** Starts a service in a container of its own, on a free loopback port. */
export async function runInDocker(
  { name, server }: ServiceDescription,
  { env = process.env, onProgress }: ObtainOptions,
): Promise<DockerService | Missing> {
  if (server === undefined) return { missing: 'not for docker' }
  const daemon = await runCommand('docker', ['version', '--format', '{{.Server.Version}}'], {
    timeoutMs: ASK_TIMEOUT_MS,
    env,
  })
  if (!daemon.ok) return { missing: `no docker (${lastLine(daemon.output)})` }
  const { image, port: insidePort, command } = server.docker
  onProgress?.(`starting ${image} in docker`)
  const port = await freePort()
  const container = `rts-${name}-${randomUUID()}`
  const guard = new Guard(env)
  guard.watch({ kind: 'container', name: container })
  const stop = async (): Promise<void> => {
    await runCommand('docker', ['rm', '--force', container], { timeoutMs: ASK_TIMEOUT_MS, env })
    guard.dismiss()
  }
  const publish = `127.0.0.1:${port}:${insidePort}`
  const started = await runCommand(
    'docker',
    ['run', '--detach', '--rm', '--name', container, '--publish', publish, image, ...command(port)],
    { timeoutMs: RUN_TIMEOUT_MS, env },
  )
  const url = server.url(port)
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS)
  while (started.ok && !deadline.aborted) {
    try {
      return { url, version: await server.version(url, deadline), image, stop }
    } catch {
      await pause(READY_INTERVAL_MS)
    }
  }
  await stop()
  const why = started.ok ? `does not serve after ${START_TIMEOUT_MS} ms` : lastLine(started.output)
  return { missing: `docker run ${image}: ${why}` }
}
