export interface Login {
  readonly account: string
  readonly name: string
  readonly ticket: string
  /** Only of a new guest: what was made up to log in with later. */
  readonly password?: string
  /** Addresses of gates, the least loaded first. */
  readonly gates: readonly string[]
}

/**
 * Asks the HTTP node for a ticket. It is short-lived, so a client asks again for each new session.
 *
 * @throws an error with the `code` the server answered, such as `HTTP_UNAUTHORIZED`.
 */
export async function login(
  server: string,
  path: '/login' | '/register' | '/guest',
  credentials?: { readonly name: string; readonly password: string },
): Promise<Login> {
  const response = await fetch(new URL(path, server), {
    method: 'POST',
    ...(credentials === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(credentials) }),
  })
  const answer = (await response.json()) as Login & { error?: { code: string; message: string } }
  if (answer.error !== undefined) {
    throw Object.assign(new Error(answer.error.message), { code: answer.error.code })
  }
  return answer
}

/** What a client asks: where the gates are, and a ticket for one of them. */
export interface Logins {
  readonly gates: () => Promise<readonly string[]>
  readonly ticket: () => Promise<string>
}

/**
 * Answers a client out of logins. Tickets are short-lived and gates come and go: only the first answers are those of
 * `first`, a ticket is given once, and gates that are asked for again are those of a new login.
 */
export function logins(first: Login, again: () => Promise<Login>): Logins {
  let next: Login | undefined = first
  let unused: Login | undefined
  return {
    gates: async () => {
      unused = next ?? (await again())
      next = undefined
      return unused.gates
    },
    ticket: async () => {
      const { ticket } = unused ?? (await again())
      unused = undefined
      return ticket
    },
  }
}
