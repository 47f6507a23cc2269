import type { DatabaseSync } from 'node:sqlite'
import { checkList, checkName, checkRequest, checkWhole } from './arguments.ts'
import { systemClock, type Clock } from './clock.ts'
import { decodeDocument } from './document.ts'
import type {
  EntityStore,
  ListOptions,
  LoadOptions,
  SaveRequest,
  SaveResult,
  StoredEntity,
} from './entity-store.ts'
import { EntityTable, type EntityRow } from './entity-table.ts'
import { StoreError } from './errors.ts'
import { fraction, systemRandom, type Random } from './random.ts'
import { DEFAULT_MAX_ENTITY_BYTES, encodeBatch } from './save-batch.ts'
import { asStoreError, isBusy, openFile, prepareFile, type Synchronous } from './sqlite-file.ts'

export interface SqliteStoreOptions {
  /** Path of the file. Beside it SQLite keeps `-wal` and `-shm` while it is open. */
  readonly file: string
  /**
   * What a finished save survives: `normal` the death of the process, `full` also a power cut (each
   * batch then waits for the disk). Neither can damage the file. @defaultValue 'normal'
   */
  readonly synchronous?: Synchronous
  /**
   * How long a call waits for other processes that write, in milliseconds, before it fails with
   * `STORE_BUSY`. The event loop goes on meanwhile. From 0. @defaultValue 5000
   */
  readonly busyTimeoutMs?: number
  /** How many calls may wait for those before them. From 1. @defaultValue 1024 */
  readonly maxPending?: number
  /** How large the data of one entity may be, in bytes of text. @defaultValue 4194304 */
  readonly maxEntityBytes?: number
  readonly clock?: Clock
  readonly random?: Random
}

const DEFAULTS: Required<Omit<SqliteStoreOptions, 'file'>> = {
  synchronous: 'normal',
  busyTimeoutMs: 5_000,
  maxPending: 1_024,
  maxEntityBytes: DEFAULT_MAX_ENTITY_BYTES,
  clock: systemClock,
  random: systemRandom,
}

/** The longest pause between two tries for the lock. */
const MAX_PAUSE_MS = 50

/**
 * A store in one SQLite file, which all processes of one machine may use at once. Each batch is one
 * transaction; calls of one store run in the order they were made.
 */
export class SqliteStore implements EntityStore {
  readonly file: string
  readonly #options: Required<SqliteStoreOptions>
  #table: EntityTable | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #pending = 0
  #closing: Promise<void> | undefined

  constructor(options: SqliteStoreOptions) {
    const settings = { ...DEFAULTS, ...options }
    checkWhole('busyTimeoutMs', settings.busyTimeoutMs)
    checkWhole('maxPending', settings.maxPending, 1)
    checkWhole('maxEntityBytes', settings.maxEntityBytes, 1)
    this.file = settings.file
    this.#options = settings
  }

  /**
   * Opens the file, or makes it; its folder must exist. The first call does so anyway: await this at
   * the start of a program to learn at once what is wrong.
   *
   * @throws StoreError `STORE_OPEN_FAILED`, `STORE_SCHEMA` (not a store, or of a newer version) or
   * `STORE_BUSY`.
   */
  async open(): Promise<this> {
    await this.#inTurn('opening', () => {})
    return this
  }

  async load(
    type: string,
    id: string,
    options: LoadOptions = {},
  ): Promise<StoredEntity | undefined> {
    checkName('type', type)
    checkName('id', id)
    const { fence } = options
    if (fence !== undefined) checkWhole('fence', fence)
    const row = await this.#inTurn(`loading ${type} ${id}`, (table) => table.load(type, id, fence))
    return row === undefined || row.version === 0 ? undefined : toEntity(type, row)
  }

  async save(batch: readonly SaveRequest[]): Promise<readonly SaveResult[]> {
    batch.forEach(checkRequest)
    const encoded = encodeBatch(batch, this.#options.maxEntityBytes)
    return this.#inTurn(`saving ${batch.length} entities`, (table) => table.save(encoded))
  }

  async list(type: string, options: ListOptions): Promise<readonly StoredEntity[]> {
    checkList(type, options)
    const { limit, prefix = '', after = '' } = options
    const rows = await this.#inTurn(`listing ${type}`, (table) =>
      table.list(type, limit, prefix, after),
    )
    return rows.map((row) => toEntity(type, row))
  }

  /** Lets the calls made so far finish, writes the log back into the file and closes it. */
  close(): Promise<void> {
    return (this.#closing ??= this.#tail.then(() => this.#table?.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Runs work after the calls made before it. */
  async #inTurn<T>(what: string, work: (table: EntityTable) => T): Promise<T> {
    if (this.#closing !== undefined) {
      throw new StoreError('STORE_CLOSED', `${what}: the store is closed`)
    }
    if (this.#pending >= this.#options.maxPending) {
      throw new StoreError('STORE_BUSY', `${what}: ${this.#pending} calls are waiting already`)
    }
    this.#pending += 1
    const run = this.#tail.then(async () => {
      const table = (this.#table ??= await connect(this.#options))
      return whenFree(this.#options, what, () => work(table))
    })
    this.#tail = run.catch(() => {})
    try {
      return await run
    } catch (error) {
      throw asStoreError(error, what)
    } finally {
      this.#pending -= 1
    }
  }
}

async function connect(options: Required<SqliteStoreOptions>): Promise<EntityTable> {
  const { file, synchronous } = options
  let database: DatabaseSync | undefined
  try {
    const opened = (database = openFile(file))
    return await whenFree(options, `opening ${file}`, () => {
      prepareFile(opened, synchronous)
      return new EntityTable(opened)
    })
  } catch (error) {
    database?.close()
    throw asStoreError(error, `cannot open ${file}`)
  }
}

/** Runs work again and again while another process is writing; the event loop goes on meanwhile. */
async function whenFree<T>(
  options: Required<SqliteStoreOptions>,
  what: string,
  work: () => T,
): Promise<T> {
  const { clock, random, busyTimeoutMs } = options
  const startedAt = clock.now()
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return work()
    } catch (cause) {
      if (!isBusy(cause)) throw cause
      const waitedMs = clock.now() - startedAt
      if (waitedMs >= busyTimeoutMs) {
        throw new StoreError(
          'STORE_BUSY',
          `${what}: another process kept the file for ${Math.round(waitedMs)} ms`,
          { cause },
        )
      }
      const delayMs = pauseMs * (0.5 + 0.5 * fraction(random))
      await new Promise<void>((resolve) => {
        clock.setTimer(delayMs, resolve)
      })
    }
  }
}

const toEntity = (type: string, { id, version, fence, data }: EntityRow): StoredEntity => ({
  type,
  id,
  version,
  fence,
  data: decodeDocument(data),
})
