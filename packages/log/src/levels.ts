/** winston's npm levels, the most important first. */
export const LEVELS = ['error', 'warn', 'info', 'http', 'verbose', 'debug', 'silly'] as const
export type LogLevel = (typeof LEVELS)[number]

const RANKS: ReadonlyMap<string, number> = new Map(LEVELS.map((level, rank) => [level, rank]))

/** From 0. Levels that nobody declared count as errors: a line too many is better than one too few. */
export function rankOf(level: string): number {
  return RANKS.get(level) ?? 0
}

/** Whether somebody should look at the line. */
export function isAlarm(level: string): boolean {
  return rankOf(level) <= rankOf('warn')
}
