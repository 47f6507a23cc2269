import { join } from 'node:path'
import { parseFile } from '@rts/json5x/node'

export type Role = 'gate' | 'lobby' | 'game' | 'http'

export interface NodeEntry {
  readonly id: string
  readonly role: Role
}

export interface ArenaConfig {
  /** Separates deployments that share one registry. */
  readonly cluster: string
  readonly clusterKey: string
  /** Proves that somebody may reload the code of nodes; empty: nobody may. */
  readonly adminKey: string
  readonly ticketSecret: string
  readonly ticketTtlSeconds: number
  readonly registry: { readonly ttlSeconds: number; readonly etcd: readonly string[] }
  readonly store: { readonly file: string; readonly saveIntervalMs: number }
  readonly listen: { readonly servers: string; readonly tcp: string; readonly ws: string }
  readonly http: {
    readonly host: string
    readonly port: number
    readonly loginBurst: number
    readonly loginsPerMinute: number
  }
  /** Of the demo. */
  readonly nodes: readonly NodeEntry[]
  /** Of the cluster of processes. */
  readonly processes: { readonly ttlSeconds: number; readonly nodes: readonly NodeEntry[] }
  /** How the code of a cluster is reloaded: one node of each role first, watched for a while. */
  readonly reload: {
    readonly watchMs: number
    readonly sampleMs: number
    /** How much higher the error rate may get, from 0 to 1. */
    readonly tolerance: number
  }
  readonly room: { readonly seats: number; readonly matchSeconds: number }
}

const CONFIG_FILE: string = join(import.meta.dirname, '..', 'arena.json5x')

// One value of each kind that must be there; a config that differs in shape is refused with the path of the difference.
const SHAPE = {
  cluster: '',
  clusterKey: '',
  adminKey: '',
  ticketSecret: '',
  ticketTtlSeconds: 0,
  registry: { ttlSeconds: 0, etcd: [''] },
  store: { file: '', saveIntervalMs: 0 },
  listen: { servers: '', tcp: '', ws: '' },
  http: { host: '', port: 0, loginBurst: 0, loginsPerMinute: 0 },
  nodes: [{ id: '', role: '' }],
  processes: { ttlSeconds: 0, nodes: [{ id: '', role: '' }] },
  reload: { watchMs: 0, sampleMs: 0, tolerance: 0 },
  room: { seats: 0, matchSeconds: 0 },
}

/**
 * Reads the configuration of the arena.
 *
 * @throws Json5xError for a syntax error, with file, line, column and the line itself.
 * @throws TypeError for a value that is missing or of the wrong kind, with its path.
 */
export async function loadConfig(file: string = CONFIG_FILE): Promise<ArenaConfig> {
  const value = await parseFile(file)
  checkShape(value, SHAPE, file)
  // checkShape has compared every member with the shape that the interface describes.
  return value as ArenaConfig
}

function checkShape(value: unknown, shape: unknown, path: string): void {
  const wanted = Array.isArray(shape) ? 'array' : typeof shape
  const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  if (wanted !== found) throw new TypeError(`${path}: expected ${wanted}, found ${found}`)
  if (Array.isArray(shape)) {
    for (const [index, item] of (value as unknown[]).entries())
      checkShape(item, shape[0], `${path}[${index}]`)
  } else if (typeof shape === 'object' && shape !== null) {
    for (const [key, inner] of Object.entries(shape)) {
      checkShape((value as Record<string, unknown>)[key], inner, `${path}: ${key}`)
    }
  }
}
