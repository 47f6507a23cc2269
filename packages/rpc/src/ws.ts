export { ws, type WsOptions } from './transports/ws.ts'
