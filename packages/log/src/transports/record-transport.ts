import winston from 'winston'
import type { LogRecord } from '../record.ts'

type TransportClass = new (options?: { readonly level?: string }) => winston.transport

/** winston exports its base class under a name that its types do not have. */
export const Transport: TransportClass = (winston as unknown as { Transport: TransportClass })
  .Transport

/** A winston transport that takes records as they are, without a way through object streams. */
export interface RecordTransport {
  writeRecord(record: LogRecord): void
}

export function takesRecords(
  transport: winston.transport,
): transport is winston.transport & RecordTransport {
  return 'writeRecord' in transport
}
