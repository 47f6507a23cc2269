// Rewrites modules in a thread of its own, so that a reload of a running game takes nothing from its steps.
import { parentPort } from 'node:worker_threads'
import { isReloadError } from './errors.ts'
import { transform } from './transform.ts'
import type { RewriteAnswer, RewriteRequest } from './rewriting-thread.ts'

parentPort?.on('message', ({ id, file, text }: RewriteRequest) => {
  let answer: RewriteAnswer
  try {
    answer = { id, code: transform(file, text) }
  } catch (error) {
    const { message } = error as Error
    answer = isReloadError(error)
      ? { id, failure: { code: error.code, message, place: error.place } }
      : { id, failure: { code: 'RELOAD_SYNTAX', message, place: { file } } }
  }
  parentPort?.postMessage(answer, [])
})
