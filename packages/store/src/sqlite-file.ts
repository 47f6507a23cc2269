import { DatabaseSync } from 'node:sqlite'
import { StoreError, type StoreErrorCode } from './errors.ts'

/** 'RTSE' in ASCII: what `file` and this package tell a store by. */
const APPLICATION_ID = 0x52_54_53_45
const SCHEMA_VERSION = 1
const SCHEMA = `
  CREATE TABLE entity (
    type    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    fence   INTEGER NOT NULL,
    data    TEXT    NOT NULL,
    PRIMARY KEY (type, id)
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/**
 * How long one statement may wait for another process, in milliseconds. Short, since the whole event
 * loop waits with it; the store then tries again after letting others run.
 */
const BUSY_SLICE_MS = 10

/** `normal` survives the death of the process, `full` also that of the machine. */
export type Synchronous = 'normal' | 'full'

/** Opens the file without changing it. Follow with `prepareFile`. */
export function openFile(path: string): DatabaseSync {
  return new DatabaseSync(path, { timeout: BUSY_SLICE_MS, allowExtension: false })
}

/**
 * Makes the file a store, if it is empty, and sets the connection up. May be repeated when another
 * process is in the way.
 *
 * @throws StoreError `STORE_SCHEMA` when it is something else; then it is left as it was.
 */
export function prepareFile(database: DatabaseSync, synchronous: Synchronous): void {
  // In one transaction: another process that fills the file meanwhile is seen before or after, not half way.
  const isNew = inTransaction(database, () => isEmpty(database), 'DEFERRED')
  const journal = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (journal !== 'wal' && journal !== 'memory') {
    throw new StoreError(
      'STORE_OPEN_FAILED',
      `the file system cannot share a write-ahead log: journal mode stays ${String(journal)}`,
    )
  }
  database.exec(`PRAGMA synchronous = ${synchronous === 'full' ? 'FULL' : 'NORMAL'}`)
  if (!isNew) return
  inTransaction(database, () => {
    // Another process may have been faster.
    if (isEmpty(database)) database.exec(SCHEMA)
  })
}

function isEmpty(database: DatabaseSync): boolean {
  const application = pragma(database, 'application_id')
  const version = pragma(database, 'user_version')
  if (application === APPLICATION_ID && version === SCHEMA_VERSION) return false
  if (application === APPLICATION_ID) {
    throw new StoreError(
      'STORE_SCHEMA',
      `the file has schema version ${version}, and this package knows ${SCHEMA_VERSION}`,
    )
  }
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count']
  if (application === 0 && version === 0 && tables === 0) return true
  throw new StoreError('STORE_SCHEMA', 'the file is a database of something else')
}

const pragma = (database: DatabaseSync, name: string): unknown =>
  database.prepare(`PRAGMA ${name}`).get()?.[name]

/**
 * Runs `work` between BEGIN and COMMIT. `IMMEDIATE`: nobody else writes between what it reads and what it
 * writes. `DEFERRED` is for reading alone: it sees one state of the file.
 */
export function inTransaction<T>(
  database: DatabaseSync,
  work: () => T,
  mode: 'IMMEDIATE' | 'DEFERRED' = 'IMMEDIATE',
): T {
  database.exec(`BEGIN ${mode}`)
  let isCommitting = false
  try {
    const result = work()
    isCommitting = true
    database.exec('COMMIT')
    return result
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite had rolled back by itself.
    }
    // A commit that failed while it was written may still be found by the next recovery.
    if (isCommitting && !isBusy(error)) throw asStoreError(error, 'commit failed', 'maybe')
    throw error
  }
}

/** Another process holds the lock; nothing was done. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === SQLITE_BUSY || code === SQLITE_LOCKED
}

const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const CODES: ReadonlyMap<number, StoreErrorCode> = new Map([
  [11, 'STORE_CORRUPT'], // SQLITE_CORRUPT
  [14, 'STORE_OPEN_FAILED'], // SQLITE_CANTOPEN
  [26, 'STORE_SCHEMA'], // SQLITE_NOTADB
])

/** What SQLite said, as an error of this package. */
export function asStoreError(
  cause: unknown,
  what: string,
  executed: 'no' | 'maybe' = 'no',
): StoreError {
  if (cause instanceof StoreError) return cause
  const code = CODES.get(sqliteCode(cause) ?? 0) ?? 'STORE_IO'
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StoreError(code, `${what}: ${why}`, { cause, executed })
}

/** SQLite's primary result code; the upper bits only refine it. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
