export { Client, type ClientEvents, type ClientState } from './client.ts'
export type { ClientOptions, ConnectOptions } from './options.ts'
export type { ClientStats } from './stats.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
