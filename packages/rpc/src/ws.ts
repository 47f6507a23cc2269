export { ws, type WsOptions } from './transports/ws.ts'
export type { FlushMode } from './transports/stream-link.ts'
