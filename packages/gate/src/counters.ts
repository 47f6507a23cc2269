/** What `stats()` counts, while it is counted. */
export interface GateCounters {
  tooManyOfHost: number
  tooFastFromHost: number
  stopped: number
  routesOpened: number
  routesLost: number
  routesFailed: number
  refusedBytes: number
  toBackendFrames: number
  toBackendBytes: number
  toPlayerFrames: number
  toPlayerBytes: number
  parkedTotal: number
  parkedDropped: number
  parkedTooMany: number
  parkedTooOld: number
  stateDropped: number
  pauses: number
  groupFrames: number
  groupDeliveries: number
  groupsRefused: number
}

export const newCounters = (): GateCounters => ({
  tooManyOfHost: 0,
  tooFastFromHost: 0,
  stopped: 0,
  routesOpened: 0,
  routesLost: 0,
  routesFailed: 0,
  refusedBytes: 0,
  toBackendFrames: 0,
  toBackendBytes: 0,
  toPlayerFrames: 0,
  toPlayerBytes: 0,
  parkedTotal: 0,
  parkedDropped: 0,
  parkedTooMany: 0,
  parkedTooOld: 0,
  stateDropped: 0,
  pauses: 0,
  groupFrames: 0,
  groupDeliveries: 0,
  groupsRefused: 0,
})
