import type { FunctionTable } from './functions.ts'
import { CelError, type Special } from './values.ts'

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

const MS = 1_000_000n
const DURATION = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$|^[-+]?0$/

/** Reads a duration as Go does: `1h30m`, `-1.5s`. */
export function parseDuration(text: string): Special {
  if (!DURATION.test(text)) throw new CelError(`time: invalid duration "${text}"`)
  let amount = 0n
  for (const [, number = '', unit = ''] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    const scale = NANOSECONDS[unit] ?? 0n
    const [whole = '', part = ''] = number.split('.')
    const fraction = part.slice(0, 18)
    amount += BigInt(whole === '' ? '0' : whole) * scale
    if (fraction !== '') amount += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length)
  }
  return { special: 'duration', amount: text.startsWith('-') ? -amount : amount }
}

/** A duration as protobuf writes it: `90s`, `0.5s`. */
export function durationText({ amount = 0n }: Special): string {
  const sign = amount < 0n ? '-' : ''
  const size = amount < 0n ? -amount : amount
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/

/** Reads a time as RFC 3339 writes it. */
export function parseTimestamp(text: string): Special {
  const match = TIMESTAMP.exec(text)
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`.toUpperCase())
  if (match === null || Number.isNaN(ms))
    throw new CelError(
      `parsing time "${text}" as "2006-01-02T15:04:05Z07:00": cannot parse "${text}" as "2006"`,
    )
  return { special: 'timestamp', amount: BigInt(ms) * MS + BigInt((match[2] ?? '').padEnd(9, '0')) }
}

/** A time as RFC 3339 writes it. */
export function timestampText({ amount = 0n }: Special): string {
  const nanoseconds = ((amount % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = new Date(Number((amount - nanoseconds) / MS)).toISOString().slice(0, 19)
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '')
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`
}

/** A date in a time zone: `UTC` where none is given, `+02:00`, or a name such as `Europe/Berlin`. */
function dateIn({ amount = 0n }: Special, zone: string): Date {
  const ms = Number(amount / MS)
  const offset = /^([+-]?)(\d\d):(\d\d)$/.exec(zone)
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3])
    return new Date(ms + (offset[1] === '-' ? -minutes : minutes) * 60_000)
  }
  try {
    const parts = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    }).formatToParts(ms)
    const at = (type: string): string => parts.find((part) => part.type === type)?.value ?? '0'
    const date = `${at('year').padStart(4, '0')}-${at('month')}-${at('day')}`
    const local = Date.parse(`${date}T${at('hour')}:${at('minute')}:${at('second')}Z`)
    return new Date(local + (((ms % 1000) + 1000) % 1000))
  } catch {
    throw new CelError(`unknown time zone ${zone}`)
  }
}

const DAY_MS = 86_400_000

const DATE_PARTS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) =>
    Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

function dateFunctions(): FunctionTable {
  return Object.fromEntries(
    Object.entries(DATE_PARTS).flatMap(([name, read]) => [
      [`timestamp.${name}(): int`, (time: Special) => BigInt(read(dateIn(time, 'UTC')))],
      [
        `timestamp.${name}(string): int`,
        (time: Special, zone: string) => BigInt(read(dateIn(time, zone))),
      ],
    ]),
  )
}

const DURATION_PARTS: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
}

function durationFunctions(): FunctionTable {
  return {
    ...Object.fromEntries(
      Object.entries(DURATION_PARTS).map(([name, scale]) => [
        `duration.${name}(): int`,
        ({ amount = 0n }: Special) => amount / scale,
      ]),
    ),
    'duration.getMilliseconds(): int': ({ amount = 0n }: Special) => (amount % 1_000_000_000n) / MS,
  }
}

/** Functions of times and durations. */
export const TIME_FUNCTIONS: FunctionTable = { ...dateFunctions(), ...durationFunctions() }
