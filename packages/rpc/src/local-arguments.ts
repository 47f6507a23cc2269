import { RpcError } from './errors.ts'
import type { LocalCall } from './local-call.ts'
import { makeLocalStream, toldOf, type LocalStream } from './local-stream.ts'
import { isStream } from './stream-source.ts'

/**
 * The arguments of a call with the streams among them as its handler gets them. They end with the call when that fails, or
 * when nobody has begun to read them as it is answered.
 */
export function joinArguments(call: LocalCall, args: readonly unknown[]): readonly unknown[] {
  const { abortSignal } = call
  const open = new Set<LocalStream>()
  const breakOff = (reason: unknown): void => {
    for (const stream of open) stream.breakOff(toldOf(reason))
  }
  const abort = (): void => breakOff(new RpcError('RPC_CLOSED', 'the caller cancelled the call'))
  const joined = args.map((arg) => {
    if (!isStream(arg)) return arg
    const stream = makeLocalStream(arg, {
      first: (step) => step(),
      closed: () => {
        open.delete(stream)
        if (open.size === 0) abortSignal?.removeEventListener('abort', abort)
      },
    })
    open.add(stream)
    return stream.reader
  })
  call.streams = [...open].map(({ reader }) => reader)
  abortSignal?.addEventListener('abort', abort)
  call.onFailed = breakOff
  return joined
}
