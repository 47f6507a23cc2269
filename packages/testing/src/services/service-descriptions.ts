/** What `provideServices` and the like can find. */
export type ServiceName = 'etcd' | 'chromium' | 'kcptun'

/** A package of Debian. */
interface AptPackage {
  readonly name: string
  /**
   * `cache` unpacks it into the user's cache folder: nothing of the system changes and no daemon
   * starts. `system` installs it, for programs that only run where they were packaged for.
   */
  readonly into: 'cache' | 'system'
}

/** How a server is run by tests. */
export interface ServerDescription {
  url(port: number): string
  /** What the program is started with. `folder` is empty at first, `token` is new at each start. */
  args(port: number, folder: string, token: string): readonly string[]
  /** Environment variables with these beginnings would change what it does, so they are withheld. */
  readonly withheldVariables: readonly string[]
  /** Resolves to its version once it serves; rejects while it does not. */
  version(url: string, signal: AbortSignal): Promise<string>
  readonly docker: {
    readonly image: string
    /** The port it listens on in its container. */
    readonly port: number
    command(port: number): readonly string[]
  }
}

/** Everything there is to know about one service; adding one is adding one of these. */
export interface ServiceDescription {
  readonly name: ServiceName
  /** The environment variable that holds its URL (the path, for a program without one). */
  readonly urlVariable: string
  /** The environment variable that holds the path of its program. */
  readonly binaryVariable: string
  /** Names of its program, looked for in `PATH` and the usual folders. */
  readonly binaries: readonly string[]
  readonly apt: AptPackage
  /** Absent for a program that tests start themselves, such as a browser. */
  readonly server?: ServerDescription
}

async function getJson(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal })
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`)
  return (await response.json()) as Record<string, unknown>
}

const etcd: ServiceDescription = {
  name: 'etcd',
  urlVariable: 'ETCD_URL',
  binaryVariable: 'ETCD_BINARY',
  binaries: ['etcd'],
  apt: { name: 'etcd-server', into: 'cache' },
  server: {
    url: (port) => `http://127.0.0.1:${port}`,
    args: (port, folder, token) => [
      ...['--data-dir', `${folder}/data`],
      ...['--listen-client-urls', `http://127.0.0.1:${port}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${port}`],
      ...['--listen-peer-urls', 'http://127.0.0.1:0'],
      // Read in an empty folder alone: there it makes a cluster of another id.
      ...['--initial-cluster-token', token],
      ...['--logger', 'zap', '--log-outputs', 'stderr'],
      // A member alone has nobody to wait for. Also lowers the shortest lease from 2 s to 1 s.
      ...['--heartbeat-interval', '20', '--election-timeout', '200'],
    ],
    withheldVariables: ['ETCD_'],
    version: async (url, signal) => {
      const health = await getJson(`${url}/health`, signal)
      if (health['health'] !== 'true') throw new Error(`not healthy: ${JSON.stringify(health)}`)
      return String((await getJson(`${url}/version`, signal))['etcdserver'])
    },
    docker: {
      image: 'quay.io/coreos/etcd:v3.5.21',
      port: 2379,
      command: (port) => [
        '/usr/local/bin/etcd',
        ...['--listen-client-urls', 'http://0.0.0.0:2379'],
        ...['--advertise-client-urls', `http://127.0.0.1:${port}`],
        ...['--heartbeat-interval', '20', '--election-timeout', '200'],
      ],
    },
  },
}

const chromium: ServiceDescription = {
  name: 'chromium',
  urlVariable: 'CHROMIUM_PATH',
  binaryVariable: 'CHROMIUM_PATH',
  binaries: ['chromium'],
  apt: { name: 'chromium', into: 'system' },
}

/** The server; the package puts `kcptun-client` beside it. Two KCP peers that nobody here wrote. */
const kcptun: ServiceDescription = {
  name: 'kcptun',
  urlVariable: 'KCPTUN_SERVER_PATH',
  binaryVariable: 'KCPTUN_SERVER_PATH',
  binaries: ['kcptun-server'],
  apt: { name: 'kcptun', into: 'cache' },
}

export const serviceDescriptions: Readonly<Record<ServiceName, ServiceDescription>> = {
  etcd,
  chromium,
  kcptun,
}
