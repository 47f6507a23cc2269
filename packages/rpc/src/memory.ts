export { memoryNetwork, type MemoryNetwork } from './transports/memory.ts'
