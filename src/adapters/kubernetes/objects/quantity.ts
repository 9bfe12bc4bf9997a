/** A quantity is kept as a whole number of billionths, as apimachinery rounds it. */
const NANO = 1_000_000_000n

const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
}
/** Powers of ten by suffix. */
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}

/** More digits than any real quantity has; past this a text is not a quantity. */
const DIGITS_MAX = 64

type Format = 'binary' | 'decimal' | 'exponent'

/** The value of a Kubernetes quantity (`500m`, `1Gi`, `2e3`) in billionths, undefined when it is not one. */
export function quantityNano(text: string): bigint | undefined {
  return parse(text)?.nano
}

/** The form in which the API shows a quantity: `1000m` becomes `1`, `1024Mi` becomes `1Gi`. */
export function canonicalQuantity(text: string): string | undefined {
  const parsed = parse(text)
  if (parsed === undefined) return undefined
  return textOf(parsed)
}

function textOf({ nano, format }: Parsed): string {
  if (nano === 0n) return '0'
  const size = nano < 0n ? -nano : nano
  if (format === 'binary' && size >= 1024n * NANO) return binaryText(nano)
  let exponent = -9
  while (exponent < 18 && nano % 10n ** BigInt(exponent + 9 + 3) === 0n) exponent += 3
  const digits = String(nano / 10n ** BigInt(exponent + 9))
  if (format === 'exponent') return exponent === 0 ? digits : `${digits}e${exponent}`
  const suffix = Object.keys(DECIMAL).find((key) => DECIMAL[key] === exponent) ?? ''
  return digits + suffix
}

function binaryText(nano: bigint): string {
  let value = ceilDivide(nano, NANO)
  let power = 0
  while (power < 6 && value % 1024n === 0n) {
    value /= 1024n
    power += 1
  }
  return `${value}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][power] ?? ''}`
}

/**
 * The sum of two quantities in the form of the first, or of the second where the first is 0. What is no
 * quantity counts as 0.
 */
export function addQuantities(a: string, b: string): string {
  return combined(a, b, 1n)
}

/** The first quantity without the second, in the form of the first. What is no quantity counts as 0. */
export function subtractQuantities(a: string, b: string): string {
  return combined(a, b, -1n)
}

function combined(a: string, b: string, sign: bigint): string {
  const first = parse(a) ?? ZERO
  const second = parse(b) ?? ZERO
  const format = first.nano === 0n ? second.format : first.format
  return textOf({ nano: first.nano + sign * second.nano, format })
}

/** Which of two quantities is more: above 0 the first, below 0 the second. */
export function compareQuantities(a: string, b: string): number {
  const difference = (quantityNano(a) ?? 0n) - (quantityNano(b) ?? 0n)
  return difference > 0n ? 1 : difference < 0n ? -1 : 0
}

interface Parsed {
  readonly nano: bigint
  readonly format: Format
}

const ZERO: Parsed = { nano: 0n, format: 'decimal' }

function parse(text: string): Parsed | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?$/.exec(
    text,
  )
  if (match === null || text.length > DIGITS_MAX) return undefined
  const [, sign, whole = '', fraction = '', suffix = ''] = match
  if (whole === '' && fraction === '') return undefined
  const digits = BigInt(whole + fraction)
  const factor = BINARY[suffix]
  const isExponent = /^[eE][+-]?\d/.test(suffix)
  const exponent = isExponent ? Number(suffix.slice(1)) : (DECIMAL[suffix] ?? 0)
  const scaled = scale(digits * (factor ?? 1n), exponent + 9 - fraction.length)
  const nano = sign === '-' ? -scaled : scaled
  return { nano, format: factor !== undefined ? 'binary' : isExponent ? 'exponent' : 'decimal' }
}

function scale(digits: bigint, power: number): bigint {
  return power >= 0 ? digits * 10n ** BigInt(power) : ceilDivide(digits, 10n ** BigInt(-power))
}

function ceilDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b > 0n ? quotient + 1n : quotient
}

/** The value of a quantity as a number; undefined when it is none. Exact only to a float's 53 bits. */
export function parseQuantity(value: unknown): number | undefined {
  const nano = nanoOf(value)
  return nano === undefined ? undefined : Number(nano) / Number(NANO)
}

/** A quantity of CPU in thousandths, rounded up; undefined when the value is no quantity. */
export function parseMillis(value: unknown): number | undefined {
  return parseScaled(value, 1_000_000n)
}

/** A quantity in whole units (bytes, pods), rounded up; undefined when the value is no quantity. */
export function parseWhole(value: unknown): number | undefined {
  return parseScaled(value, NANO)
}

function parseScaled(value: unknown, unit: bigint): number | undefined {
  const nano = nanoOf(value)
  return nano === undefined ? undefined : Number(ceilDivide(nano, unit))
}

function nanoOf(value: unknown): bigint | undefined {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' ? quantityNano(text) : undefined
}
