export { kcp, type KcpOptions } from './transports/kcp.ts'
