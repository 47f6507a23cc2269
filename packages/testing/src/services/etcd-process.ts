import { ServiceProcess, type ServiceProcessOptions } from './service-process.ts'

/** An etcd of the test's own, to kill, freeze and restart. */
export type EtcdProcess = ServiceProcess

export const EtcdProcess: {
  /** Starts one and resolves when it serves. See `ServiceProcess.start`. */
  start(options?: ServiceProcessOptions): Promise<EtcdProcess>
} = {
  start: (options) => ServiceProcess.start('etcd', options),
}
