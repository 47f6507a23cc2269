export { parse } from './parse.ts'
export type { MacroValue, ParseOptions } from './options.ts'
export { Json5xError } from './errors.ts'
export type { Json5xErrorCode, Json5xErrorSource, RelatedPlace } from './errors.ts'
