import type { LeaseId } from './backend.ts'
import type { DiscoveryError } from './errors.ts'
import type { LeaseLoss } from './lease-session.ts'
import type { NodeRecord } from './node-record.ts'

export interface RegistryEvents {
  /** The lease is held (again). `renewed`: it is the same one, so what was bound to it still stood. */
  'lease-live': (lease: { readonly leaseId: LeaseId; readonly renewed: boolean }) => void
  /** Still held, but keepalives are not answered. */
  'lease-suspect': (lease: { readonly leaseId: LeaseId }) => void
  /** No longer held: every claim is over. It is being re-established. */
  'lease-lost': (lease: { readonly leaseId: LeaseId; readonly reason: LeaseLoss }) => void
  /** The backend holds this record: the first time, after each change and after each loss. */
  registered: (record: NodeRecord) => void
  /** Another living process has the id of this registered node. An operator must end one of them. */
  'duplicate-id': (error: DiscoveryError, record: NodeRecord) => void
}
