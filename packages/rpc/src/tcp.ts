export { tcp, type TcpOptions } from './transports/tcp.ts'
export type { TlsOptions } from './transports/tls.ts'
export type { FlushMode } from './transports/stream-link.ts'
