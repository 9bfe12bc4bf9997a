const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/**
 * The value of a Kubernetes quantity such as `500m`, `1Gi` or `2e3`.
 *
 * @returns undefined when the text is none.
 */
export function parseQuantity(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(
    value,
  )
  if (match === null) return undefined
  const [, digits = '', exponent, suffix = ''] = match
  const factor = exponent === undefined ? (SUFFIXES[suffix] ?? 1) : 10 ** Number(exponent)
  const result = Number(digits) * factor
  return Number.isFinite(result) ? result : undefined
}

/** A quantity in thousandths, rounded up as Kubernetes does. */
export function parseMillis(value: unknown): number | undefined {
  const parsed = parseQuantity(value)
  // The subtraction keeps 0.1 * 1000 from becoming 101.
  return parsed === undefined ? undefined : Math.ceil(parsed * 1000 - 1e-6)
}

/** A quantity in whole units, rounded up. */
export function parseWhole(value: unknown): number | undefined {
  const parsed = parseQuantity(value)
  return parsed === undefined ? undefined : Math.ceil(parsed - 1e-6)
}
