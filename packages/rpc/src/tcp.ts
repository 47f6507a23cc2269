export { tcp } from './transports/tcp.ts'
