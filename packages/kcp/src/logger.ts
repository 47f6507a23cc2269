/** The part of a logger this package calls. The console, winston and `@rts/log` all fit. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
}

export const silentLogger: Logger = { debug() {}, warn() {} }
