import { statSync, readFileSync, type Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Json5xError } from './errors.ts'
import type { ParseOptions } from './options.ts'
import { parse } from './parse.ts'

export interface ParseFileSyncOptions extends Omit<ParseOptions, 'filename'> {
  /** The largest file that is read, from 1. @defaultValue 16777216 */
  readonly maxBytes?: number
}

export interface ParseFileOptions extends ParseFileSyncOptions {
  readonly signal?: AbortSignal
}

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024

/**
 * The value of a JSON5 file in UTF-8. Errors name the file.
 *
 * @throws Json5xError `JSON5X_FILE_UNREADABLE` (its `cause` is the error of the file system),
 * `JSON5X_FILE_TOO_BIG`, `JSON5X_FILE_NOT_UTF8`, and all that `parse` throws.
 */
export async function parseFile(
  path: string | URL,
  options: ParseFileOptions = {},
): Promise<unknown> {
  const { maxBytes, signal, ...rest } = options
  signal?.throwIfAborted()
  const file = nameOf(path)
  let bytes: Uint8Array
  try {
    checkStats(file, await stat(path), limitOf(maxBytes))
    bytes = await readFile(path, { signal })
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    throw unreadable(file, error)
  }
  return parse(decode(file, bytes), { ...rest, filename: file })
}

/** {@link parseFile} without a promise, for a program that cannot start without its configuration. */
export function parseFileSync(path: string | URL, options: ParseFileSyncOptions = {}): unknown {
  const { maxBytes, ...rest } = options
  const file = nameOf(path)
  let bytes: Uint8Array
  try {
    checkStats(file, statSync(path), limitOf(maxBytes))
    bytes = readFileSync(path)
  } catch (error) {
    throw unreadable(file, error)
  }
  return parse(decode(file, bytes), { ...rest, filename: file })
}

function nameOf(path: string | URL): string {
  return typeof path === 'string' ? path : fileURLToPath(path)
}

function limitOf(maxBytes = DEFAULT_MAX_BYTES): number {
  if (!Number.isInteger(maxBytes) || maxBytes < 1)
    throw new RangeError(`maxBytes must be a whole number from 1, not ${maxBytes}`)
  return maxBytes
}

/** Also refuses what has no size, such as a pipe, which could be read for ever. */
function checkStats(filename: string, stats: Stats, maxBytes: number): void {
  if (!stats.isFile()) {
    const what = stats.isDirectory() ? 'a folder' : 'no regular file'
    throw new Json5xError('JSON5X_FILE_UNREADABLE', `this is ${what}`, { filename })
  }
  if (stats.size > maxBytes) {
    const reason = `the file has ${stats.size} bytes; at most ${maxBytes} are read`
    throw new Json5xError('JSON5X_FILE_TOO_BIG', reason, { filename })
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this process may not read the file',
  EPERM: 'this process may not read the file',
  ENOTDIR: 'a part of this path is no folder',
}

function unreadable(filename: string, error: unknown): unknown {
  if (error instanceof Json5xError || error instanceof RangeError) return error
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException
  const reason = Object.hasOwn(REASONS, code) ? `${REASONS[code]} (${code})` : message
  return new Json5xError('JSON5X_FILE_UNREADABLE', reason, { filename, cause: error })
}

function decode(filename: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const reason = 'the file is not UTF-8; save it in that encoding'
    throw new Json5xError('JSON5X_FILE_NOT_UTF8', reason, { filename, cause })
  }
}
