import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import type { Json } from '../../objects/types.ts'
import { type Cause, invalidValue } from './checks.ts'
import type { Check } from './rules.ts'

// Addresses, ranges of addresses, and ports.

/** A text is the address of a machine. */
export const address: Check = (path, value) =>
  typeof value === 'string' && isIP(value) === 0
    ? [invalidValue(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
    : []

const SPECIAL: readonly (readonly [text: string, network: string, bits: number])[] = [
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '127.0.0.0', 8],
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '::1', 128],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', '169.254.0.0', 16],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', 'fe80::', 10],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', '224.0.0.0', 24],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', 'ff02::', 10],
]

/** The address of an endpoint: one that others can reach. */
export const endpointAddress: Check = (path, value) => {
  if (typeof value !== 'string') return []
  if (isIP(value) === 0) return address(path, value)
  if (value === '0.0.0.0' || value === '::')
    return [invalidValue(path, value, `may not be unspecified (${value})`)]
  const found = SPECIAL.find(([, network, bits]) => contains(network, bits, value))
  return found === undefined ? [] : [invalidValue(path, value, found[0])]
}

function contains(network: string, bits: number, inside: string): boolean {
  if (isIP(network) !== isIP(inside)) return false
  const list = new BlockList()
  const family = isIPv4(network) ? 'ipv4' : 'ipv6'
  list.addSubnet(network, bits, family)
  return list.check(inside, family)
}

/** A range of addresses: where it begins, and how many bits they have in common. */
export interface AddressRange {
  readonly address: string
  readonly bits: number
}

/** Reads a range such as `10.0.0.0/8`, undefined when it is none. */
export function parseRange(text: string): AddressRange | undefined {
  const [start = '', length = '', ...rest] = text.split('/')
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : -1
  const isWhole = rest.length === 0 && isIP(start) !== 0 && bits >= 0
  return isWhole && bits <= (isIPv6(start) ? 128 : 32) ? { address: start, bits } : undefined
}

/** Whether one range lies in another and is smaller. */
export function isWithin(inner: AddressRange, outer: AddressRange): boolean {
  return inner.bits > outer.bits && contains(outer.address, outer.bits, inner.address)
}

/** A text is a range of addresses. */
export const range: Check = (path, value) =>
  typeof value === 'string' && parseRange(value) === undefined
    ? [invalidValue(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
    : []

const PORT_NAME_CHARACTERS_MAX = 15

/** What is wrong with the name of a port, in words. */
export function portNameProblems(name: string): readonly string[] {
  return [
    ...(name.length > PORT_NAME_CHARACTERS_MAX
      ? [`must be no more than ${PORT_NAME_CHARACTERS_MAX} characters`]
      : []),
    ...(/^[-a-z0-9]+$/.test(name)
      ? []
      : ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)']),
    ...(/[a-z]/.test(name) ? [] : ['must contain at least one letter (a-z)']),
    ...(name.includes('--') ? ['must not contain consecutive hyphens'] : []),
    ...(/^-|-$/.test(name) ? ['must not begin or end with a hyphen'] : []),
  ]
}

/** The number of a port, or its name, where it is there. */
export const portNumberOrName: Check = (path, value) => {
  if (typeof value === 'string')
    return portNameProblems(value).map((text) => invalidValue(path, value, text))
  return value === undefined ? [] : portNumber(path, value)
}

/** The number of a port; 0 when absent. */
export function portNumber(path: string, value: Json | undefined): readonly Cause[] {
  const number = value ?? 0
  return typeof number === 'number' && number >= 1 && number <= 65535
    ? []
    : [invalidValue(path, number, 'must be between 1 and 65535, inclusive')]
}
