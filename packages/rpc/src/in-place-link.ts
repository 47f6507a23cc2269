import type { Link } from './link.ts'

/** A link that spares the hot path its copies and views: messages are written where they leave from, and read where they came. */
export interface InPlaceLink extends Link {
  /** Once set, it is called instead of `onMessage`. The message is what lies between start and end. */
  onPart: ((bytes: Uint8Array, start: number, end: number) => void) | undefined
  /** What {@link InPlaceLink.openMessage} made room in. */
  readonly messageBytes: Uint8Array
  /** Makes room for a message of so many bytes. @returns Where it begins; all up to the end of `messageBytes` is room. -1: the link is closed. */
  openMessage(bytes: number): number
  /** Nothing was written there after all. */
  abandonMessage(): void
  /** Sends what was written. As `send`; `undefined`: something else was sent meanwhile, and this was not. */
  sendMessage(bytes: Uint8Array, start: number, end: number): boolean | undefined
}

export const isInPlace = (link: Link): link is InPlaceLink => 'openMessage' in link
