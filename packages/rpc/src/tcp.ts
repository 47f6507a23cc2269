export { tcp, type TcpOptions } from './transports/tcp.ts'
export type { FlushMode } from './transports/stream-link.ts'
