/** Largest message from a player, and from anybody who has not shown yet that he is more. */
const PLAYER_MESSAGE_BYTES = 16 * 1024
/** Largest message between servers. */
export const SERVER_MESSAGE_BYTES: number = 16 * 1024 * 1024
/** Bytes waiting to be sent at which a link closes. Room for the largest message and more. */
const PLAYER_BUFFERED_BYTES = 1024 * 1024
const SERVER_BUFFERED_BYTES = 64 * 1024 * 1024
/** Handshake frames are small; nothing larger is taken before it is done. */
export const HANDSHAKE_BYTES = 4096

export const messageBytesFor = (trust: 'server' | 'player' | 'admin'): number =>
  trust === 'server' ? SERVER_MESSAGE_BYTES : PLAYER_MESSAGE_BYTES

export const bufferedBytesFor = (trust: 'server' | 'player' | 'admin'): number =>
  trust === 'server' ? SERVER_BUFFERED_BYTES : PLAYER_BUFFERED_BYTES
