const MOST = 3
/** A table with more names than this is not searched to its end. */
const MOST_COMPARED = 1000

/** The known names that look most like `name`, nearest first; those that differ much are left out. */
export function nearestNames(name: string, known: Iterable<string>): string[] {
  const limit = Math.max(1, Math.ceil(name.length / 3))
  return [...known]
    .slice(0, MOST_COMPARED)
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate, limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST)
    .map(({ candidate }) => candidate)
}

/** Levenshtein's distance without regard to case; anything above `limit` when it is more. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1
  const [a, b] = [left.toLowerCase(), right.toLowerCase()]
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      current.push(
        Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + change),
      )
    }
    previous = current
  }
  return previous[b.length]!
}
