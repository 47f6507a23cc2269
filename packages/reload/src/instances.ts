// Finding the instances of a class that nobody tracked: V8 knows them all.
import { Session } from 'node:inspector'

/**
 * Every object on the heap whose prototype chain holds this prototype. Takes a garbage collection, so milliseconds
 * per hundred megabytes; used once for a class that gets its first `onReload`.
 */
export function instancesOnHeap(prototype: object): object[] {
  const key = Symbol.for('@rts/reload/heap-query')
  const shared = globalThis as unknown as Record<symbol, unknown>
  const session = new Session()
  session.connect()
  let found: object[] = []
  try {
    shared[key] = prototype
    const query = `globalThis[Symbol.for('@rts/reload/heap-query')]`
    post<{ result: { objectId: string } }>(
      session,
      'Runtime.evaluate',
      { expression: query },
      (one) => {
        const prototypeObjectId = one.result.objectId
        post<{ objects: { objectId: string } }>(
          session,
          'Runtime.queryObjects',
          { prototypeObjectId },
          ({ objects }) => {
            const functionDeclaration = `function () { ${query} = this }`
            post(session, 'Runtime.callFunctionOn', {
              functionDeclaration,
              objectId: objects.objectId,
            })
            const all = shared[key]
            if (Array.isArray(all)) found = all as object[]
          },
        )
      },
    )
  } finally {
    delete shared[key]
    session.disconnect()
  }
  return found
}

/** In its own thread the inspector answers before `post` returns. */
function post<R>(
  session: Session,
  method: string,
  parameters: object,
  then?: (result: R) => void,
): void {
  session.post(method, parameters, (error, result) => {
    if (error === null) then?.(result as R)
  })
}
