export {
  IKCP_CMD_ACK,
  IKCP_CMD_PUSH,
  IKCP_CMD_WASK,
  IKCP_CMD_WINS,
  IKCP_OVERHEAD,
} from './constants.ts'
export { Kcp, type KcpOutput, type KcpStats } from './kcp.ts'
export type { KcpOptions } from './options.ts'
export { SegmentPool } from './segment-pool.ts'
export { connect, socketCounters } from './socket/dialer.ts'
export type { KcpConnectOptions } from './socket/dialer.ts'
export { listen } from './socket/listener.ts'
export type { KcpListenOptions, KcpWorker } from './socket/listen-options.ts'
export type KcpListener = import('./socket/listener.ts').KcpListener
export { connectRaw } from './socket/raw/dialer.ts'
export type { KcpRawConnectOptions } from './socket/raw/dialer.ts'
export { listenRaw } from './socket/raw/listener.ts'
export type { KcpRawListenOptions } from './socket/raw/listener.ts'
export type KcpRawListener = import('./socket/raw/listener.ts').KcpRawListener
export type { RawOptions } from './socket/raw/options.ts'
export type { KcpSessionEvents, KcpSessionStats } from './socket/session.ts'
export type KcpSession = import('./socket/session.ts').KcpSession
export type { KcpCloseInfo } from './socket/closes.ts'
export { KCP_CLOSE } from './socket/close-codes.ts'
export type { DropReason, KcpCounters } from './socket/counters.ts'
export { authenticated } from './socket/authenticated.ts'
export type { AuthenticatedOptions } from './socket/authenticated.ts'
export type { ClientKeyExchange, DatagramCipher, KcpSecurity } from './socket/cipher.ts'
export type {
  KcpProfile,
  KcpSessionOptions,
  KcpSocketOptions,
  KcpTuning,
} from './socket/options.ts'
export type {
  DatagramSocket,
  DatagramSocketOptions,
  OpenDatagramSocket,
} from './socket/datagram-socket.ts'
export { openUdpSocket } from './socket/udp-socket.ts'
export { KcpError } from './errors.ts'
export type { KcpErrorCode } from './errors.ts'
export type { Clock } from './clock.ts'
export type { Random } from './random.ts'
export type { Logger } from './logger.ts'
