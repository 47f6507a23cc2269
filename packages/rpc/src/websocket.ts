export { websocket, type WebSocketOptions } from './transports/websocket.ts'
export type { FlushMode } from './transports/stream-link.ts'
