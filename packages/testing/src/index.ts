export { CrashableClock } from './crashable-clock.ts'
export { eventually } from './eventually.ts'
export type { EventuallyOptions } from './eventually.ts'
export { freePort } from './free-port.ts'
export { scratchFolder } from './scratch-folder.ts'
export type { ScratchFolder } from './scratch-folder.ts'
export { seededRandom } from './seeded-random.ts'
export type { Random, SeededRandom } from './seeded-random.ts'
export { SteppedClock } from './stepped-clock.ts'
export type { Clock, RunUntilOptions, SteppedClockOptions } from './stepped-clock.ts'
export { timed } from './timed.ts'
export type { Timed } from './timed.ts'
export { TestingError } from './errors.ts'
export type { TestingErrorCode } from './errors.ts'
export type { Direction, HostAndPort } from './faults.ts'
export { TcpFaultProxy } from './tcp-fault-proxy.ts'
export type { TcpFaultProxyOptions, TcpFaultProxyStats } from './tcp-fault-proxy.ts'
export type { CutOptions, TcpFaults } from './tcp-faults.ts'
export type TcpFaultControls = import('./tcp-faults.ts').TcpFaultControls
export type TcpProxyLink = import('./tcp-proxy-link.ts').TcpProxyLink
export { UdpFaultProxy } from './udp-fault-proxy.ts'
export type { UdpFaultProxyOptions, UdpFaultProxyStats } from './udp-fault-proxy.ts'
export type { UdpCounters, UdpFaults } from './datagram-faults.ts'
export { EtcdProcess } from './services/etcd-process.ts'
export type { ObtainOptions } from './services/obtain-binary.ts'
export {
  findChromium,
  findEtcd,
  provideServices,
  requireService,
  serviceBinary,
  servicesSetup,
  serviceUrl,
} from './services/provide-services.ts'
export type {
  FoundService,
  ProvidedServices,
  ProvideOptions,
  ServiceOutcome,
} from './services/provide-services.ts'
export { ServiceProcess } from './services/service-process.ts'
export type { RestartOptions, ServiceProcessOptions } from './services/service-process.ts'
export type { ServiceName } from './services/service-descriptions.ts'
