import type { CallerKind } from './remote-types.ts'

const MAX_CODE_LENGTH = 64
const MAX_MESSAGE_LENGTH = 1024

/** What an error tells the caller. */
export interface ErrorReply {
  readonly code: string
  readonly message: string
  readonly data: unknown
}

const HIDDEN: ErrorReply = {
  code: 'RPC_INTERNAL',
  message: 'the call failed inside the server',
  data: undefined,
}

/**
 * What travels of an error a handler threw: code, message and data of one that carries a code of its own,
 * never a stack. Players learn nothing of the others, nor of this package's, Node's and the system's
 * errors: their messages name addresses and files.
 */
export function errorReply(error: unknown, caller: CallerKind): ErrorReply {
  const { code, message, data, syscall } = fieldsOf(error)
  const hasCode = typeof code === 'string' && code !== '' && code.length <= MAX_CODE_LENGTH
  const isInternal = !hasCode || syscall !== undefined || /^(?:RPC|ERR)_/.test(code)
  if (caller !== 'server' && isInternal) return HIDDEN
  const text = typeof message === 'string' ? message : String(error)
  return {
    code: hasCode ? code : 'RPC_INTERNAL',
    message: text.slice(0, MAX_MESSAGE_LENGTH),
    data: hasCode ? data : undefined,
  }
}

function fieldsOf(error: unknown): Record<'code' | 'message' | 'data' | 'syscall', unknown> {
  if (typeof error !== 'object' || error === null) {
    return { code: undefined, message: undefined, data: undefined, syscall: undefined }
  }
  const { code, message, data, syscall } = error as Record<string, unknown>
  return { code, message, data, syscall }
}
