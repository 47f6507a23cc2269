/** What one node counts; `stats()` hands out a copy. */
export class Counters {
  callsSent = 0
  notifiesSent = 0
  callsReceived = 0
  notifiesReceived = 0
  timeouts = 0
  lost = 0
  deadlocks = 0
  lateReplies = 0
  retries = 0
  refusedForbidden = 0
  refusedUnknown = 0
  refusedMalformed = 0
  refusedOverloaded = 0
  refusedByHook = 0
  droppedNotifies = 0
  unauthorized = 0
  protocolErrors = 0
  unresponsive = 0
  // What is open now.
  peers = 0
  virtualLinks = 0
  pendingCalls = 0
  runningCalls = 0
  waitingCalls = 0
  openStreams = 0
}
