/**
 * The part of a Standard Schema this package calls: zod, valibot, arktype and others make them.
 *
 * @see https://standardschema.dev
 */
export interface ArgumentsSchema {
  readonly '~standard': {
    validate(value: unknown): SchemaResult | Promise<SchemaResult>
  }
}

type SchemaResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly unknown[] | undefined
}

/** What is wrong with the arguments of a call, as it is told to the caller. */
export interface ArgumentIssue {
  readonly message: string
  /** From the list of arguments down: `[0, 'name']`. */
  readonly path: readonly (string | number)[]
}

const MAX_ISSUES = 16

/** @throws TypeError for a schema that validates asynchronously, or gives no list of arguments. */
export function checkArguments(
  schema: ArgumentsSchema,
  args: unknown[],
): { readonly args: unknown[] } | { readonly issues: readonly ArgumentIssue[] } {
  const result = schema['~standard'].validate(args)
  if ('then' in result) throw new TypeError('the schema of the arguments is asynchronous')
  if (result.issues !== undefined) return { issues: result.issues.slice(0, MAX_ISSUES).map(plain) }
  if (!Array.isArray(result.value)) throw new TypeError('the schema gives no list of arguments')
  return { args: result.value }
}

function plain({ message, path = [] }: SchemaIssue): ArgumentIssue {
  const keys = path.map((part) =>
    typeof part === 'object' && part !== null && 'key' in part ? part.key : part,
  )
  return { message, path: keys.map((key) => (typeof key === 'number' ? key : String(key))) }
}
