/** The largest WebSocket message: the stream inside is cut there, wherever that is. */
export const MAX_WEBSOCKET_BYTES: number = 64 * 1024
