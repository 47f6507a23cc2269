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
  const reply = errorForServer(error)
  const isInternal =
    reply.code === 'RPC_INTERNAL' ||
    /^(?:RPC|ERR)_/.test(reply.code) ||
    (error as { readonly syscall?: unknown }).syscall !== undefined
  return caller !== 'server' && isInternal ? HIDDEN : reply
}

/** The same for a server, which may know. */
export function errorForServer(error: unknown): ErrorReply {
  try {
    return readError(error)
  } catch {
    return HIDDEN
  }
}

/** @throws what a getter of the error throws, or its `toString`. */
function readError(error: unknown): ErrorReply {
  const { code, message, data } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Record<'code' | 'message' | 'data', unknown>
  const hasCode = typeof code === 'string' && code !== '' && code.length <= MAX_CODE_LENGTH
  const text = typeof message === 'string' ? message : String(error)
  return {
    code: hasCode ? code : 'RPC_INTERNAL',
    message: text.slice(0, MAX_MESSAGE_LENGTH),
    data: hasCode ? data : undefined,
  }
}
