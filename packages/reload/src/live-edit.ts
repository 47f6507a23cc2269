// V8's own live edit: function bodies replaced under running code, closures and held references included.
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { ReloadError } from './errors.ts'
import type { Reloader } from './reloader.ts'

export interface LiveEditResult {
  readonly ok: boolean
  /**
   * What V8 answered: `Ok`, or why it refused, such as `BlockedByActiveGenerator`. Our own are
   * `BlockedByTopLevelChange`, `BlockedByLongChange` of more text than V8 looks into, and `BlockedBySecondEvaluation` of a module that a rollback or `full()` ran once more.
   */
  readonly status: string
}

/**
 * Puts a hot file's text into the functions that run now, without evaluating anything. For development: the debugger
 * is on for as long as it takes. A change of more than function bodies is refused and changes nothing.
 */
export function liveEdit(reloader: Reloader, file: string): LiveEditResult {
  const url = reloader.urlOf(file)
  if (url === undefined)
    throw new ReloadError('RELOAD_LIVE_EDIT', 'the file is not a hot module that is loaded', {
      file,
    })
  const text = readFileSync(file, 'utf8')
  const scriptSource = reloader.codeOf(file, text)
  const running = reloader.runningCodeOf(file)
  if (running === undefined) return { ok: false, status: 'BlockedBySecondEvaluation' }
  if (!reloader.differInBodies(file, running, scriptSource))
    return { ok: false, status: 'BlockedByTopLevelChange' }
  if (isTooLong(running, scriptSource)) return { ok: false, status: 'BlockedByLongChange' }
  const session = new Session()
  session.connect()
  let status = 'no script'
  try {
    const scriptIds: string[] = []
    session.on('Debugger.scriptParsed', ({ params }) => {
      if (params.url === url) scriptIds.push(params.scriptId)
    })
    session.post('Debugger.enable')
    // Newer ones may be there that do not run: of a reload that failed, or that was rolled back.
    for (const scriptId of scriptIds.filter((one) => sourceOf(session, one) === running))
      session.post('Debugger.setScriptSource', { scriptId, scriptSource }, (error, result) => {
        const answer = result as { status?: string } | undefined
        status = error === null ? (answer?.status ?? 'Ok') : error.message
      })
  } finally {
    session.disconnect()
  }
  if (status === 'Ok') reloader.wasEdited(file, text)
  return { ok: status === 'Ok', status }
}

/** V8 takes changed lines of more than this for one change, whose functions it then does not replace. */
const LONGEST_CHANGE = 800

function isTooLong(running: string, edited: string): boolean {
  const [one, other] = [running, edited].map((text) =>
    text.slice(0, text.lastIndexOf('\n')).split('\n'),
  ) as [string[], string[]]
  let first = 0
  while (first < one.length && one[first] === other[first]) first += 1
  const shorter = Math.min(one.length, other.length) - first
  let last = 0
  while (last < shorter && one.at(-1 - last) === other.at(-1 - last)) last += 1
  return [one, other].some(
    (lines) => lines.slice(first, lines.length - last).join('\n').length >= LONGEST_CHANGE,
  )
}

function sourceOf(session: Session, scriptId: string): string {
  let source = ''
  session.post('Debugger.getScriptSource', { scriptId }, (_, result) => {
    source = result.scriptSource
  })
  return source
}
