// Names and values are those of ikcp.c 2.x.

/** Bytes of a segment header. */
export const IKCP_OVERHEAD = 24
/** Command: payload. */
export const IKCP_CMD_PUSH = 81
/** Command: acknowledges `sn` and echoes its `ts`. */
export const IKCP_CMD_ACK = 82
/** Command: asks for the free window. */
export const IKCP_CMD_WASK = 83
/** Command: tells the free window. */
export const IKCP_CMD_WINS = 84

export const IKCP_RTO_NDL = 30
export const IKCP_RTO_MIN = 100
export const IKCP_RTO_DEF = 200
export const IKCP_RTO_MAX = 60_000
export const IKCP_ASK_SEND = 1
export const IKCP_ASK_TELL = 2
/** What a peer is taken to have before it has said anything. */
export const IKCP_WND_RCV = 128
export const IKCP_THRESH_INIT = 2
export const IKCP_THRESH_MIN = 2
export const IKCP_PROBE_LIMIT = 120_000

/** The window field is 16 bits wide; half of it keeps 65536 from reading as a closed window. */
export const MAX_WND = 32_767
/** The fragment field is 8 bits wide. */
export const MAX_FRAGMENTS = 255
/** The largest UDP payload over IPv4. */
export const MAX_DATAGRAM_BYTES = 65_507
