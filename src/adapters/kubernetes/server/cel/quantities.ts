import { canonicalQuantity, quantityNano } from '../../objects/quantity.ts'
import type { FunctionTable } from './functions.ts'
import { CelError, int, opaque, type Special, type Value } from './values.ts'

const NANO = 1_000_000_000n

const nanoOf = (quantity: Special): bigint => quantity.inner as bigint

function quantity(text: string): Special {
  const nano = quantityNano(text)
  if (nano === undefined)
    throw new CelError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    )
  return opaque('quantity', nano)
}

function fromNano(nano: bigint): Special {
  return opaque('quantity', nano)
}

function compare(a: bigint, b: bigint): bigint {
  return a < b ? -1n : a > b ? 1n : 0n
}

function asInteger(value: Special): bigint {
  const nano = nanoOf(value)
  if (nano % NANO !== 0n) throw new CelError('cannot convert value to integer')
  return int(nano / NANO)
}

/** A version as https://semver.org describes it. */
interface Version {
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint]
  readonly pre: readonly string[]
}

const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?$/

function parseVersion(text: string, isNormalized = false): Version | undefined {
  const match = VERSION.exec(isNormalized ? normalized(text) : text)
  if (match === null) return undefined
  const [, major = '0', minor = '0', patch = '0', pre] = match
  return {
    numbers: [BigInt(major), BigInt(minor), BigInt(patch)],
    pre: pre === undefined ? [] : pre.split('.'),
  }
}

/** `v1.2` is taken for `1.2.0`, and `01` for `1`. */
function normalized(text: string): string {
  const [, core = '', rest = ''] = /^v?([\d.]+)(.*)$/s.exec(text) ?? []
  const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''))
  while (parts.length < 3) parts.push('0')
  return parts.join('.') + rest
}

function semver(text: string, isNormalized = false): Special {
  const version = parseVersion(text, isNormalized)
  if (version === undefined) throw new CelError(`invalid semver: ${text}`)
  return opaque('semver', version)
}

const versionOf = (value: Special): Version => value.inner as Version

function compareVersions(a: Version, b: Version): bigint {
  for (let index = 0; index < 3; index++) {
    const order = compare(a.numbers[index] ?? 0n, b.numbers[index] ?? 0n)
    if (order !== 0n) return order
  }
  // A release comes after what led to it.
  if (a.pre.length === 0 || b.pre.length === 0)
    return compare(BigInt(b.pre.length), BigInt(a.pre.length)) === 0n
      ? 0n
      : a.pre.length === 0
        ? 1n
        : -1n
  for (let index = 0; index < Math.max(a.pre.length, b.pre.length); index++) {
    const order = compareIdentifiers(a.pre[index], b.pre[index])
    if (order !== 0n) return order
  }
  return 0n
}

function compareIdentifiers(a: string | undefined, b: string | undefined): bigint {
  if (a === undefined || b === undefined) return a === b ? 0n : a === undefined ? -1n : 1n
  const areNumbers = [a, b].map((text) => /^\d+$/.test(text))
  if (areNumbers[0] === true && areNumbers[1] === true) return compare(BigInt(a), BigInt(b))
  if (areNumbers[0] !== areNumbers[1]) return areNumbers[0] === true ? -1n : 1n
  return a < b ? -1n : a > b ? 1n : 0n
}

const number =
  (index: 0 | 1 | 2) =>
  (value: Special): bigint =>
    versionOf(value).numbers[index]

/** Functions of quantities such as `1Gi`, and of versions such as `1.2.3-rc.1`. */
export const QUANTITY_FUNCTIONS: FunctionTable = {
  'quantity(string): quantity': quantity,
  'isQuantity(string): bool': (text: string) => quantityNano(text) !== undefined,
  'quantity.isInteger(): bool': (value: Special) => nanoOf(value) % NANO === 0n,
  'quantity.asInteger(): int': asInteger,
  'quantity.asApproximateFloat(): double': (value: Special) => Number(nanoOf(value)) / Number(NANO),
  'quantity.sign(): int': (value: Special) => compare(nanoOf(value), 0n),
  'quantity.add(quantity): quantity': (a: Special, b: Special) => fromNano(nanoOf(a) + nanoOf(b)),
  'quantity.add(int): quantity': (a: Special, b: bigint) => fromNano(nanoOf(a) + b * NANO),
  'quantity.sub(quantity): quantity': (a: Special, b: Special) => fromNano(nanoOf(a) - nanoOf(b)),
  'quantity.sub(int): quantity': (a: Special, b: bigint) => fromNano(nanoOf(a) - b * NANO),
  'quantity.compareTo(quantity): int': (a: Special, b: Special) => compare(nanoOf(a), nanoOf(b)),
  'quantity.isGreaterThan(quantity): bool': (a: Special, b: Special) => nanoOf(a) > nanoOf(b),
  'quantity.isLessThan(quantity): bool': (a: Special, b: Special) => nanoOf(a) < nanoOf(b),
  'string(quantity): string': (value: Special): Value => quantityText(nanoOf(value)),
  'semver(string): semver': (text: string) => semver(text),
  'semver(string, bool): semver': semver,
  'isSemver(string): bool': (text: string) => parseVersion(text) !== undefined,
  'isSemver(string, bool): bool': (text: string, isNormalized: boolean) =>
    parseVersion(text, isNormalized) !== undefined,
  'semver.major(): int': number(0),
  'semver.minor(): int': number(1),
  'semver.patch(): int': number(2),
  'semver.compareTo(semver): int': (a: Special, b: Special) =>
    compareVersions(versionOf(a), versionOf(b)),
  'semver.isGreaterThan(semver): bool': (a: Special, b: Special) =>
    compareVersions(versionOf(a), versionOf(b)) > 0n,
  'semver.isLessThan(semver): bool': (a: Special, b: Special) =>
    compareVersions(versionOf(a), versionOf(b)) < 0n,
}

function quantityText(nano: bigint): string {
  return canonicalQuantity(`${nano}n`) ?? '0'
}
