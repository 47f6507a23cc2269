import { findSourceMap } from 'node:module'
import { basename, isAbsolute, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where a line was logged. */
export interface Place {
  /** `src/room.ts:12:5`, relative to the working directory where it lies inside: terminals make a link of it. */
  readonly full: string
  /** `room.ts:12` */
  readonly short: string
}

/**
 * The place that called `callee`, which must be on the stack; undefined when there is none.
 *
 * Only that one frame is looked at. Where Node has source maps on, the place is that of the source.
 */
export function callerOf(callee: (...args: never[]) => unknown): Place | undefined {
  const site = siteAbove(callee)
  const file = site?.getFileName() ?? undefined
  if (site === undefined || file === undefined) return undefined
  const line = site.getLineNumber() ?? 0
  const column = site.getColumnNumber() ?? 0
  const origin = findSourceMap(file)?.findOrigin(line, column)
  const place =
    origin !== undefined && 'fileName' in origin
      ? { file: origin.fileName, line: origin.lineNumber, column: origin.columnNumber }
      : { file, line, column }
  const path = shownPath(place.file)
  return {
    full: `${path}:${place.line}:${place.column}`,
    short: `${basename(path)}:${place.line}`,
  }
}

function siteAbove(callee: (...args: never[]) => unknown): NodeJS.CallSite | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.prepareStackTrace = (_error, sites) => sites
    Error.stackTraceLimit = 1
    Error.captureStackTrace(holder, callee)
    // The stack is prepared when it is read.
    const [site] = holder.stack as readonly NodeJS.CallSite[]
    return site
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace!
  }
}

/** A stack as V8 prints it, with its paths in the same form as places. */
export function shownStack(stack: string): string {
  const inside = workingDirectory()
  return stack
    .replaceAll(/file:\/\/(?:\/(?=[A-Za-z]:))?/g, '')
    .replaceAll(inside === '' ? '\0' : `${inside}/`, '')
}

function shownPath(file: string): string {
  const path = file.startsWith('file:') ? fileURLToPath(file) : file
  const fromHere = relative(workingDirectory(), path)
  return !isAbsolute(path) || fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    // The folder was deleted under the process.
    return ''
  }
}
