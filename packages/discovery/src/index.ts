export { Registry } from './registry.ts'
export type { RegistryEvents } from './registry-events.ts'
export type { RegistryStats } from './registry-stats.ts'
export type { ClaimOptions, LockOptions, RegistryOptions, WaitOptions } from './options.ts'
export type { Lease, LeaseLoss, LeaseState } from './lease-session.ts'
export { MAX_RECORD_BYTES } from './node-record.ts'
export type { NodeInit, NodeMeta, NodeRecord, NodeState } from './node-record.ts'
export type { Registration } from './registration.ts'
export type { Claim, ClaimHolder, ClaimOffer, ClaimOutcome, Lock } from './claim.ts'
export type { CampaignOptions, Election, Leadership } from './election.ts'
export type { Directory, DirectoryEvents, ReadyOptions } from './directory.ts'
export { consistent, rendezvous } from './pick.ts'
export type {
  KeyPolicy,
  KeyPolicyOptions,
  LoadOf,
  Outcome,
  Picked,
  PickingOptions,
  PickOptions,
  PickPolicy,
} from './pick.ts'
export type { PickStats } from './balancer.ts'
export type { OutReason } from './candidates.ts'
export type { Explanation, NodeExplanation } from './explain.ts'
export type { DiscoveryMessages } from './diagnostics.ts'
export type { Load } from './load.ts'
export type { LoadBeat, LoadSource } from './load-link.ts'
export { LoadMeter, type LoadMeterOptions, type ProcessReadings } from './load-meter.ts'
export type { LoadVia } from './load-reporter.ts'
export { DiscoveryError, type DiscoveryErrorCode, type DiscoveryErrorOptions } from './errors.ts'
export { NO_LEASE } from './backend.ts'
export type {
  Backend,
  CallOptions,
  Compare,
  KeyRange,
  KeyValue,
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  Operation,
  RangeResult,
  Transaction,
  TransactionResult,
  WatchEnd,
  WatchEvent,
  WatchHandle,
  WatchHandlers,
} from './backend.ts'
export { MemoryBackend, type MemoryBackendOptions, type MemoryFault } from './memory-backend.ts'
export { EtcdBackend } from './etcd-backend.ts'
export type { EtcdBackendOptions, EtcdTlsOptions } from './etcd-options.ts'
export { StaticBackend, type StaticBackendOptions } from './static-backend.ts'
export type { Clock } from './clock.ts'
export type { Random } from './random.ts'
export type { Logger } from './logger.ts'
