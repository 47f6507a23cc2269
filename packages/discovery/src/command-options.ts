import { parseArgs } from 'node:util'
import type { EtcdBackendOptions } from './etcd-options.ts'

export const USAGE = `Lists, watches and drains the nodes of a cluster.

  rts-registry [list] [role]      nodes as they stand
  rts-registry watch [role]       the same, as it changes; ends with Ctrl-C
  rts-registry drain <role>/<id>  nothing new goes there; the node hears of it
  rts-registry ready <role>/<id>  takes that back

  -e, --endpoints <urls>   etcd members, with commas between   RTS_ETCD or ETCD_URL, else http://127.0.0.1:2379
  -c, --cluster <name>     first part of every key             RTS_CLUSTER, else default
      --user <name>        etcd user                           RTS_ETCD_USER
      --password <word>    better in the environment           RTS_ETCD_PASSWORD
      --ca <file>          root certificate, PEM               RTS_ETCD_CA
      --cert, --key <file> client certificate and its key      RTS_ETCD_CERT, RTS_ETCD_KEY
      --json               one JSON value per line
  -h, --help
`

export type CommandName = 'list' | 'watch' | 'drain' | 'ready'

export interface Command {
  readonly name: CommandName
  /** A role for `list` and `watch`; a node for the others. */
  readonly role: string | undefined
  readonly id: string | undefined
  readonly cluster: string
  readonly isJson: boolean
  readonly etcd: Pick<EtcdBackendOptions, 'hosts' | 'auth'>
  /** Files in PEM. */
  readonly tls: {
    readonly ca: string | undefined
    readonly cert: string | undefined
    readonly key: string | undefined
  }
}

const NAMES: readonly string[] = ['list', 'watch', 'drain', 'ready']

/**
 * @returns `undefined` when only help is wanted.
 * @throws TypeError or RangeError with what is wrong, for people.
 */
export function parseCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      endpoints: { type: 'string', short: 'e' },
      cluster: { type: 'string', short: 'c' },
      user: { type: 'string' },
      password: { type: 'string' },
      ca: { type: 'string' },
      cert: { type: 'string' },
      key: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return undefined
  const [name = 'list', target, ...rest] = positionals
  if (!NAMES.includes(name)) throw new RangeError(`no command "${name}"; see --help`)
  if (rest.length > 0) throw new RangeError(`"${rest.join(' ')}" is too much; see --help`)
  const [role, id, ...more] = target?.split('/') ?? []
  const isOrder = name === 'drain' || name === 'ready'
  if (isOrder && (!role || !id || more.length > 0)) {
    throw new RangeError(`${name} wants a node: ${name} game/game_1`)
  }
  if (!isOrder && id !== undefined) throw new RangeError(`${name} wants a role, not "${target}"`)
  const username = values.user ?? env['RTS_ETCD_USER']
  const password = values.password ?? env['RTS_ETCD_PASSWORD']
  if ((username === undefined) !== (password === undefined)) {
    throw new RangeError('a user and a password go together')
  }
  const tls = {
    ca: values.ca ?? env['RTS_ETCD_CA'],
    cert: values.cert ?? env['RTS_ETCD_CERT'],
    key: values.key ?? env['RTS_ETCD_KEY'],
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new RangeError('a certificate and its key go together')
  }
  if (tls.cert !== undefined && tls.ca === undefined) {
    throw new RangeError('a client certificate needs --ca')
  }
  const endpoints =
    values.endpoints ?? env['RTS_ETCD'] ?? env['ETCD_URL'] ?? 'http://127.0.0.1:2379'
  return {
    name: name as CommandName,
    role,
    id,
    cluster: values.cluster ?? env['RTS_CLUSTER'] ?? 'default',
    isJson: values.json ?? false,
    etcd: {
      hosts: endpoints.split(',').map((host) => host.trim()),
      ...(username === undefined || password === undefined ? {} : { auth: { username, password } }),
    },
    tls,
  }
}
