export { Timers } from './timers.ts'
export type {
  AfterOptions,
  EveryOptions,
  TimerCallback,
  TimerErrorContext,
  TimerId,
  TimerKey,
  TimersOptions,
  TimersStats,
} from './options.ts'
export { systemClock, type Clock } from './clock.ts'
export { TimerError, type TimerErrorCode } from './errors.ts'
