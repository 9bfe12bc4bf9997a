import { isIP, isIPv4, isIPv6 } from 'node:net'
import { nameProblems } from '../kinds/names.ts'

// The formats of texts that a schema may ask for, as kube-apiserver knows them. Formats that it does not
// know are not checked.

const UUID = '[0-9a-f]{8}-?[0-9a-f]{4}-?V[0-9a-f]{3}-?W[0-9a-f]{3}-?[0-9a-f]{12}'

function uuid(version: string, variant: string): (text: string) => boolean {
  const source = UUID.replace('V[0-9a-f]{3}', `${version}[0-9a-f]{3}`).replace('W', variant)
  const pattern = new RegExp(`^${source}$`, 'i')
  return (text) => pattern.test(text)
}

const anyUuid = uuid('[0-9a-f]', '[0-9a-f]')

const HOSTNAME = /^([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})?)*\.?)$/
const EMAIL = /^[^\s@<>]+@[^\s@<>]+$/
const MAC = /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$|^([0-9a-fA-F]{2}[:-]){7}[0-9a-fA-F]{2}$/
const DATE_TIME =
  /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?$|^\d{4}-\d\d-\d\dT\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?$/
const GO_DURATION = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$|^[-+]?0$/
const SCALA_DURATION =
  /^\s*\d+(?:\.\d+)?\s*(?:nanoseconds?|nanos?|ns|microseconds?|micros?|us|µs|milliseconds?|millis?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w)\s*$/
const CREDIT_CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/
const RGB =
  /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function isCidr(text: string): boolean {
  const [address = '', length = '', more] = text.split('/')
  const family = isIP(address)
  const isNumber = /^(0|[1-9]\d{0,2})$/.test(length)
  return (
    more === undefined && isNumber && family !== 0 && Number(length) <= (family === 4 ? 32 : 128)
  )
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (match === null) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.getUTCDate() === Number(match[3])
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  const sum = [...digits].reduce(
    (total, digit, index) => total + (10 - index) * (digit === 'X' ? 10 : Number(digit)),
    0,
  )
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  const sum = [...digits].reduce(
    (total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3),
    0,
  )
  return sum % 10 === 0
}

function isUri(text: string): boolean {
  if (text === '' || /[\s\p{Cc}]/u.test(text)) return false
  return text.startsWith('/') || (/^[A-Za-z][A-Za-z0-9+.-]*:./.test(text) && URL.canParse(text))
}

function isHostname(text: string): boolean {
  return text.length <= 255 && HOSTNAME.test(text)
}

const CHECKS: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: isUri,
  email: (text) => EMAIL.test(text),
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  cidr: isCidr,
  mac: (text) => MAC.test(text),
  uuid: anyUuid,
  uuid3: uuid('3', '[0-9a-f]'),
  uuid4: uuid('4', '[89ab]'),
  uuid5: uuid('5', '[89ab]'),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: (text) => CREDIT_CARD.test(text.replace(/\D+/g, '')),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => RGB.test(text),
  byte: (text) => BASE64.test(text),
  password: () => true,
  date: isDate,
  duration: (text) => GO_DURATION.test(text) || SCALA_DURATION.test(text),
  datetime: (text) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text.replace(' ', 'T'))),
  k8sshortname: (text) => nameProblems(text, 'label').length === 0,
  k8slongname: (text) => nameProblems(text, 'subdomain').length === 0,
}

/** Whether a format of texts is known; a dash in its name does not count. */
export function isTextFormat(format: string): boolean {
  return Object.hasOwn(CHECKS, format.replaceAll('-', ''))
}

/** Whether a text is of a format; yes where the format is not known. */
export function isText(format: string, text: string): boolean {
  const name = format.replaceAll('-', '')
  return Object.hasOwn(CHECKS, name) ? (CHECKS[name]?.(text) ?? true) : true
}
