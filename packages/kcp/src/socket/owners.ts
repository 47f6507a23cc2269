import { KcpError } from '../errors.ts'
import { KCP_CLOSE } from './close-codes.ts'
import type { Conversation } from './conversation.ts'
import type { KcpSession } from './session.ts'

/** @throws TypeError when nobody takes sessions. */
export function checkOwner(onSession: unknown): void {
  if (typeof onSession !== 'function')
    throw new TypeError('onSession must be a function: it gets the sessions')
}

/** Gives a session to its owner. One that throws has not taken it, and its other end would keep it alive. */
export function giveTo(
  onSession: (session: KcpSession) => void,
  session: KcpSession,
  conversation: Conversation,
): void {
  try {
    onSession(session)
  } catch (error) {
    const unwanted = new KcpError('KCP_CLOSED', 'onSession threw')
    conversation.destroy(KCP_CLOSE.lost, 'nobody took it', unwanted)
    throw error
  }
}

/**
 * Closes sessions and waits for the last of them.
 *
 * @returns What their owners threw: one of them keeps none of the others open.
 */
export async function closeAll(
  sessions: readonly KcpSession[],
  ...how: Parameters<KcpSession['close']>
): Promise<unknown[]> {
  const closed = await Promise.allSettled(sessions.map(async (session) => session.close(...how)))
  return closed.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
}

/** Waits for what is under way, and then rejects with the first of what was thrown before, if anything. */
export async function rejectAfter(
  underWay: Promise<void>,
  thrown: readonly unknown[],
): Promise<void> {
  await underWay
  if (thrown.length > 0) throw thrown[0]
}
