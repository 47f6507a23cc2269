let allowed: boolean | undefined
let serial = 0

/** Whether the platform lets a program compile text. A strict content security policy does not. */
function canGenerate(): boolean {
  if (allowed === undefined) {
    try {
      allowed = new Function('return true')() === true
    } catch {
      allowed = false
    }
  }
  return allowed
}

/**
 * Makes a function of its own, so that the engine optimises it for the one class it serves. One function shared
 * by all classes runs several times slower: its call sites see too many shapes.
 *
 * @param body - Built from names that were checked to be identifiers, never from data.
 * @param fallback - Does the same as one shared closure, where compiling text is forbidden.
 */
export function generate<F>(
  names: readonly string[],
  body: string,
  values: readonly unknown[],
  fallback: () => F,
): F {
  if (!canGenerate()) return fallback()
  // Equal texts would share what the engine learns about them: the serial number makes each text its own.
  serial += 1
  return new Function(...names, `// ${serial}\n${body}`)(...values) as F
}
