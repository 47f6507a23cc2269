/** @throws RangeError when a duration or count is not from 1 to 2³¹. */
export function positive(name: string, value: number): number {
  if (!(value >= 1 && value < 2 ** 31)) {
    throw new RangeError(`${name} must be from 1 to 2^31, got ${value}`)
  }
  return value
}
