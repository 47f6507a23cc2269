/** Why an {@link EcsError} was thrown. */
export type EcsErrorCode =
  | 'ECS_BAD_VALUE'
  | 'ECS_CLEAR_ENDLESS'
  | 'ECS_COMPONENT_PRESENT'
  | 'ECS_DECLARED_COMPONENT'
  | 'ECS_DESTROYED'
  | 'ECS_DUPLICATE_ID'
  | 'ECS_NAME_TAKEN'
  | 'ECS_NO_WORLD'
  | 'ECS_SHADOWED'
  | 'ECS_STEPPING'
  | 'ECS_TOO_MANY_FIELDS'
  | 'ECS_WORLD_FULL'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class EcsError extends Error {
  override readonly name: string = 'EcsError'
  readonly code: EcsErrorCode

  constructor(code: EcsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
