export { SimNetwork, type SimHost, type SimNetworkOptions } from './transports/sim.ts'
