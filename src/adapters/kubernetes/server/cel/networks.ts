import { isIP } from 'node:net'
import type { FunctionTable } from './functions.ts'
import { CelError, opaque, type Special } from './values.ts'

/** An address as its family and its bits. */
interface Address {
  readonly family: 4 | 6
  readonly bits: bigint
}

/** The addresses that begin with the same bits. */
interface Range extends Address {
  readonly prefix: number
}

const WIDTH = { 4: 32n, 6: 128n } as const

function parseAddress(text: string): Address | undefined {
  // Neither zones nor IPv4 addresses in the clothes of IPv6 are taken.
  const family = text.includes('%') ? 0 : isIP(text)
  if (family === 4) {
    const bits = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
    return { family: 4, bits }
  }
  if (family !== 6 || text.includes('.')) return undefined
  const [head = '', tail] = text.split('::')
  const words = (part: string | undefined): readonly string[] =>
    part === undefined || part === '' ? [] : part.split(':')
  const front = words(head)
  const back = words(tail)
  const gap = Array.from({ length: 8 - front.length - back.length }, () => '0')
  const all = tail === undefined ? front : [...front, ...gap, ...back]
  const bits = all.reduce((sum, word) => sum * 65_536n + BigInt(`0x${word}`), 0n)
  const isMapped = bits >> 32n === 0xffffn
  return isMapped ? undefined : { family: 6, bits }
}

function addressText({ family, bits }: Address): string {
  if (family === 4)
    return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join('.')
  const words = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  )
  const text = words.join(':')
  // The longest run of zeroes, the first of equally long ones, is left out.
  const runs = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)]
  const longest = runs.reduce((best, run) => (run[0].length > best.length ? run[0] : best), '')
  if (longest === '') return text
  const at = runs.find((run) => run[0] === longest)?.index ?? 0
  const before = text.slice(0, at).replace(/:$/, '')
  const after = text.slice(at + longest.length).replace(/^:/, '')
  return `${before}::${after}`
}

function parseRange(text: string): Range | undefined {
  const [address = '', length = '', more] = text.split('/')
  const parsed = parseAddress(address)
  if (parsed === undefined || more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(length))
    return undefined
  const prefix = Number(length)
  return prefix > Number(WIDTH[parsed.family]) ? undefined : { ...parsed, prefix }
}

function maskedBits({ family, bits, prefix }: Range): bigint {
  const host = WIDTH[family] - BigInt(prefix)
  return (bits >> host) << host
}

function ip(text: string): Special {
  const address = parseAddress(text)
  if (address === undefined)
    throw new CelError(
      `IP Address '${text}' parse error during conversion from string: ParseAddr("${text}"): unable to parse IP`,
    )
  return opaque('ip', address)
}

function cidr(text: string): Special {
  const range = parseRange(text)
  if (range === undefined)
    throw new CelError(
      `network address parse error during conversion from string: netip.ParsePrefix("${text}"): no '/'`,
    )
  return opaque('cidr', range)
}

const addressOf = (value: Special): Address => value.inner as Address
const rangeOf = (value: Special): Range => value.inner as Range

function containsAddress(range: Range, address: Address): boolean {
  return (
    range.family === address.family &&
    maskedBits(range) === maskedBits({ ...address, prefix: range.prefix })
  )
}

/** Whether the first bits of an address are these. */
function startsWith(address: Address, ...ranges: readonly string[]): boolean {
  return ranges.some((text) => {
    const range = parseRange(text)
    return range !== undefined && containsAddress(range, address)
  })
}

function isGlobalUnicast(address: Address): boolean {
  const isNobody =
    address.bits === 0n || (address.family === 4 && address.bits === (1n << 32n) - 1n)
  return (
    !isNobody &&
    !startsWith(address, '127.0.0.0/8', '::1/128', '224.0.0.0/4', 'ff00::/8') &&
    !startsWith(address, '169.254.0.0/16', 'fe80::/10')
  )
}

/** Functions of IP addresses and of ranges of them. */
export const NETWORK_FUNCTIONS: FunctionTable = {
  'ip(string): ip': ip,
  'isIP(string): bool': (text: string) => parseAddress(text) !== undefined,
  ':ip.isCanonical(string): bool': (text: string) => addressText(addressOf(ip(text))) === text,
  'ip.family(): int': (value: Special) => BigInt(addressOf(value).family),
  'ip.isUnspecified(): bool': (value: Special) => addressOf(value).bits === 0n,
  'ip.isLoopback(): bool': (value: Special) =>
    startsWith(addressOf(value), '127.0.0.0/8', '::1/128'),
  'ip.isLinkLocalMulticast(): bool': (value: Special) =>
    startsWith(addressOf(value), '224.0.0.0/24', 'ff02::/16'),
  'ip.isLinkLocalUnicast(): bool': (value: Special) =>
    startsWith(addressOf(value), '169.254.0.0/16', 'fe80::/10'),
  'ip.isGlobalUnicast(): bool': (value: Special) => isGlobalUnicast(addressOf(value)),
  'string(ip): string': (value: Special) => addressText(addressOf(value)),
  'cidr(string): cidr': cidr,
  'isCIDR(string): bool': (text: string) => parseRange(text) !== undefined,
  'cidr.containsIP(ip): bool': (range: Special, address: Special) =>
    containsAddress(rangeOf(range), addressOf(address)),
  'cidr.containsIP(string): bool': (range: Special, address: string) =>
    containsAddress(rangeOf(range), addressOf(ip(address))),
  'cidr.containsCIDR(cidr): bool': (range: Special, other: Special) =>
    containsRange(rangeOf(range), rangeOf(other)),
  'cidr.containsCIDR(string): bool': (range: Special, other: string) =>
    containsRange(rangeOf(range), rangeOf(cidr(other))),
  'cidr.ip(): ip': (range: Special) => {
    const { family, bits } = rangeOf(range)
    return opaque('ip', { family, bits })
  },
  'cidr.masked(): cidr': (range: Special) =>
    opaque('cidr', { ...rangeOf(range), bits: maskedBits(rangeOf(range)) }),
  'cidr.prefixLength(): int': (range: Special) => BigInt(rangeOf(range).prefix),
  'string(cidr): string': (range: Special) =>
    `${addressText(rangeOf(range))}/${rangeOf(range).prefix}`,
}

function containsRange(outer: Range, inner: Range): boolean {
  return inner.prefix >= outer.prefix && containsAddress(outer, inner)
}
