import { KcpError } from '../errors.ts'
import type { DatagramSocket, DatagramSocketOptions } from './datagram-socket.ts'
import { whole, type ResolvedSocketOptions } from './options.ts'

/** How long an opening may take: a name has to be looked up. */
export interface OpeningLimits {
  readonly signal?: AbortSignal | undefined
  /** By the clock of the options. Left out: as long as it takes. */
  readonly timeoutMs?: number
}

/**
 * Opens the socket of a listener or a client. One that opens after that was given up is closed.
 *
 * @throws KcpError `KCP_LISTEN_FAILED` for one to bind, else `KCP_CONNECT_FAILED`. An abort rejects with the
 *   signal's reason.
 * @throws RangeError or TypeError, before anything is opened, when the port or the host is none.
 */
export function openWithin(
  { openSocket, socketBufferBytes, clock }: ResolvedSocketOptions,
  asked: Pick<DatagramSocketOptions, 'bind' | 'connect'> & { readonly reusePort?: boolean },
  { signal, timeoutMs }: OpeningLimits = {},
): Promise<DatagramSocket> {
  const code = asked.bind === undefined ? 'KCP_CONNECT_FAILED' : 'KCP_LISTEN_FAILED'
  const { host, port } = (asked.bind ?? asked.connect)!
  whole({ port }, 'port', asked.bind === undefined ? 1 : 0, 0xff_ff)
  if (typeof host !== 'string' || host === '')
    throw new TypeError(`host must be a name or an address, not ${String(host)}`)
  const failure = (why: string, options?: ErrorOptions): KcpError =>
    new KcpError(code, `${host} port ${port}: ${why}`, options)
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const opening = openSocket({ reusePort: false, ...asked, bufferBytes: socketBufferBytes })
    let isWanted = true
    const settle = (then: () => void): void => {
      isWanted = false
      cancelTimeout?.()
      signal?.removeEventListener('abort', abort)
      then()
    }
    const abort = (): void => settle(() => reject(signal?.reason))
    signal?.addEventListener('abort', abort)
    const timeOut = (): void => settle(() => reject(failure(`no socket in ${timeoutMs} ms`)))
    const cancelTimeout = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, timeOut)
    opening.then(
      (socket) => {
        if (isWanted) settle(() => resolve(socket))
        else void socket.close()
      },
      (cause: unknown) => {
        const why = (cause as { code?: string } | undefined)?.code ?? String(cause)
        if (isWanted) settle(() => reject(failure(why, { cause })))
      },
    )
  })
}
