type EtcdModule = typeof import('etcd3')

let loaded: EtcdModule | undefined

/**
 * The `etcd3` client, loaded when the first connection is made: it and gRPC take some 25 MB, which a process
 * over another backend does not pay.
 */
export async function loadEtcd3(): Promise<EtcdModule> {
  return (loaded ??= await import('etcd3'))
}

/** The client if it has been loaded. Before that no error can be one of its own. */
export const loadedEtcd3 = (): EtcdModule | undefined => loaded
