export { websocket } from './transports/websocket.ts'
