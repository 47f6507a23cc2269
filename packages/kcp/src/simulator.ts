export { impaired, type ImpairedOptions } from './simulator/impaired.ts'
export { type LinkEnd, type LinkOptions, SimulatedLink } from './simulator/link.ts'
export { SimulatedNetwork, type SimulatedNetworkOptions } from './simulator/network.ts'
export type { Jitter, PathCounters, PathOptions } from './simulator/path.ts'
export { type Percentiles, percentiles } from './simulator/percentiles.ts'
export {
  type SimulatedPeer,
  type SimulationOptions,
  type SimulationReport,
  simulate,
  type Workload,
} from './simulator/simulate.ts'
export { type SimulatorClock, VirtualTime } from './simulator/virtual-time.ts'
