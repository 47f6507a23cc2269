/** Where a root lives: the value of its claim. */
export interface Location {
  readonly node: string
  readonly url: string
}

export const rootKey = (type: string, id: string): string => `roots/${type}/${id}`

export const encodeLocation = ({ node, url }: Location): string => JSON.stringify({ node, url })

/** Reads a claim's value; undefined when something else was written there. */
export function decodeLocation(value: string): Location | undefined {
  try {
    const { node, url } = JSON.parse(value) as Partial<Location>
    return typeof node === 'string' && typeof url === 'string' ? { node, url } : undefined
  } catch {
    return undefined
  }
}

/** A value that can travel to another node. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain }
