export { Kcp, SegmentPool, type KcpOptions, type KcpOutput, type KcpStats } from './kcp.ts'
