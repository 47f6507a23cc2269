const SUB_BUCKETS = 32
const MAX_EXPONENT = 32
const MICROS_PER_MS = 1000

/**
 * Durations in buckets that are 3 % wide at most, from a microsecond to an hour: any number of samples in a fixed
 * 8 KiB, percentiles without sorting, and two histograms add up exactly.
 *
 * @see Gil Tene, HdrHistogram, for the layout.
 */
export class Histogram {
  readonly #counts = new Uint32Array(SUB_BUCKETS * (MAX_EXPONENT + 1))
  #count = 0
  #sum = 0
  #max = 0

  get count(): number {
    return this.#count
  }

  get maxMs(): number {
    return this.#max
  }

  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  record(ms: number): void {
    const value = Number.isFinite(ms) && ms > 0 ? ms : 0
    const bucket = bucketOf(value * MICROS_PER_MS)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#count += 1
    this.#sum += value
    if (value > this.#max) this.#max = value
  }

  /** The smallest duration that `share` of all samples do not exceed, in ms; 0 without samples. */
  percentile(share: number): number {
    const rank = Math.ceil(share * this.#count)
    let seen = 0
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      seen += this.#counts[bucket] ?? 0
      if (seen >= rank && seen > 0) return Math.min(upperBound(bucket) / MICROS_PER_MS, this.#max)
    }
    return this.#max
  }

  add(other: Histogram): void {
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + (other.#counts[bucket] ?? 0)
    }
    this.#count += other.#count
    this.#sum += other.#sum
    this.#max = Math.max(this.#max, other.#max)
  }
}

/** Values below 32 have a bucket each; above, every power of two is cut into 32. */
function bucketOf(micros: number): number {
  const value = Math.min(Math.floor(micros), 2 ** 36)
  if (value < SUB_BUCKETS) return value
  const exponent = Math.floor(Math.log2(value)) - 5
  const bucket = (exponent + 1) * SUB_BUCKETS + Math.floor(value / 2 ** exponent) - SUB_BUCKETS
  return Math.min(bucket, SUB_BUCKETS * (MAX_EXPONENT + 1) - 1)
}

function upperBound(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket + 1
  const exponent = Math.floor(bucket / SUB_BUCKETS) - 1
  return ((bucket % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** exponent
}
