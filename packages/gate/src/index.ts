export { Gate } from './gate.ts'
export type {
  GateDirectory,
  GateLimits,
  GateOptions,
  GateRoute,
  GateSessionInfo,
  GateTarget,
} from './options.ts'
export type { GateStats } from './stats.ts'
export { tokenSealer } from './token-sealer.ts'
export { GateError, type GateErrorCode } from './errors.ts'
export type { Logger } from './logger.ts'
