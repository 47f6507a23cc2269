export { RpcClient, type RpcClientOptions } from './client/rpc-client.ts'
export type { AttachClientOptions, DestinationOptions } from './client/destination.ts'
export type Destination = import('./client/destination.ts').Destination
export { currentCall, type CallContext } from './call-context.ts'
export { CLOSE } from './close-codes.ts'
export { systemClock } from './clock.ts'
export { RpcError, type Executed, type RpcErrorCode } from './errors.ts'
export { notify, settle, withCall } from './remote.ts'
export { systemRandom } from './random.ts'
