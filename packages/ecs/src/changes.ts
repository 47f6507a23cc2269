/** Counts that the loops over lists look at. */
export interface Changes {
  /** Running systems and `each` loops: above 0, lists do not change. */
  depth: number
  /** Destroyed entities and removed components that lists may still hold. */
  gone: number
}
