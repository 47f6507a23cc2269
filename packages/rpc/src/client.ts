export { RpcClient, type RpcClientOptions } from './client/rpc-client.ts'
export type { AttachClientOptions, DestinationOptions } from './client/destination.ts'
export type Destination = import('./client/destination.ts').Destination
export { CLOSE } from './close-codes.ts'
export { systemClock } from './clock.ts'
export { systemRandom } from './random.ts'
