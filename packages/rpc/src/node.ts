export { clusterKey } from './cluster-key.ts'
