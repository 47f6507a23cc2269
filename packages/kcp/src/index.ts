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
