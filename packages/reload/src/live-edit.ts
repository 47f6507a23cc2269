// V8's own live edit: function bodies replaced under running code, closures and held references included.
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { ReloadError } from './errors.ts'
import type { Reloader } from './reloader.ts'

export interface LiveEditResult {
  readonly ok: boolean
  /** What V8 answered: `Ok`, or why it refused, such as `BlockedByActiveGenerator`; `BlockedByTopLevelChange` is our own. */
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
  const scriptSource = reloader.codeOf(file, readFileSync(file, 'utf8'))
  const session = new Session()
  session.connect()
  let scriptId: string | undefined
  let status = 'no script'
  try {
    session.on('Debugger.scriptParsed', ({ params }) => {
      if (params.url === url && params.hasSourceURL !== true) scriptId = params.scriptId
    })
    session.post('Debugger.enable')
    let running = ''
    if (scriptId !== undefined)
      session.post('Debugger.getScriptSource', { scriptId }, (_, result) => {
        running = result.scriptSource
      })
    if (scriptId !== undefined && !reloader.differInBodies(file, running, scriptSource))
      return { ok: false, status: 'BlockedByTopLevelChange' }
    if (scriptId !== undefined)
      session.post('Debugger.setScriptSource', { scriptId, scriptSource }, (error, result) => {
        const answer = result as { status?: string } | undefined
        status = error === null ? (answer?.status ?? 'Ok') : error.message
      })
  } finally {
    session.disconnect()
  }
  return { ok: status === 'Ok', status }
}
