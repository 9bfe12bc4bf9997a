// Cron schedules as the API takes them: five fields, or a descriptor such as `@daily`.

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

interface Bounds {
  readonly min: number
  readonly max: number
  /** Words that stand for numbers, the first for `min`. */
  readonly words?: readonly string[]
}

const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, words: MONTHS },
  { min: 0, max: 6, words: DAYS },
]

const DESCRIPTORS: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
])

// Both letters that look like a mu. A letter beyond Latin-1 would double what the whole bundle takes in memory.
const DURATION = /^[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/

/** Characters of a schedule that are looked at. */
const SCHEDULE_CHARACTERS_MAX = 1024

/** What is wrong with a schedule, in words; undefined when nothing is. */
export function scheduleProblem(schedule: string): string | undefined {
  if (schedule.length > SCHEDULE_CHARACTERS_MAX) return 'schedule is too long'
  const zone = /^(?:TZ|CRON_TZ)=(\S*)\s+(.*)$/s.exec(schedule)
  const text = (zone?.[2] ?? schedule).trim()
  if (zone !== null && timeZoneProblem(zone[1] ?? '') !== undefined)
    return `provided bad location ${zone[1] ?? ''}: unknown time zone ${zone[1] ?? ''}`
  if (text.startsWith('@')) return descriptorProblem(text)
  const parts = text === '' ? [] : text.split(/\s+/)
  if (parts.length !== FIELDS.length)
    return `expected exactly ${FIELDS.length} fields, found ${parts.length}: [${parts.join(' ')}]`
  for (const [index, part] of parts.entries()) {
    const bounds = FIELDS[index]
    if (bounds === undefined) return undefined
    for (const range of part.split(',').filter((item) => item !== '')) {
      const problem = rangeProblem(range, bounds)
      if (problem !== undefined) return problem
    }
  }
  return undefined
}

function descriptorProblem(text: string): string | undefined {
  if (DESCRIPTORS.has(text)) return undefined
  if (!text.startsWith('@every ')) return `unrecognized descriptor: ${text}`
  const duration = text.slice('@every '.length)
  return DURATION.test(duration)
    ? undefined
    : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`
}

/** One range: `*`, `5`, `1-5`, each also with a step: `0-30/10`. */
function rangeProblem(range: string, bounds: Bounds): string | undefined {
  const [span = '', step, ...moreSteps] = range.split('/')
  const [low = '', high, ...moreEnds] = span.split('-')
  const isAny = low === '*' || low === '?'
  if (!isAny && moreEnds.length > 0) return `too many hyphens: ${range}`
  const start = isAny ? bounds.min : numberOf(low, bounds)
  if (typeof start === 'string') return start
  let end = isAny ? bounds.max : high === undefined ? start : numberOf(high, bounds)
  if (typeof end === 'string') return end
  if (moreSteps.length > 0) return `too many slashes: ${range}`
  const every = step === undefined ? 1 : numberOf(step, { min: 0, max: 0 })
  if (typeof every === 'string') return every
  if (step !== undefined && high === undefined && !isAny) end = bounds.max
  if (start < bounds.min)
    return `beginning of range (${start}) below minimum (${bounds.min}): ${range}`
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${range}`
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${range}`
  if (every === 0) return `step of range should be a positive number: ${range}`
  return undefined
}

/** The number that a text means, or what is wrong with it. */
function numberOf(text: string, bounds: Bounds): number | string {
  const index = bounds.words?.indexOf(text.toLowerCase()) ?? -1
  if (index >= 0) return index + bounds.min
  if (!/^[-+]?\d{1,15}$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
  }
  const number = Number(text)
  return number < 0 ? `negative number (${number}) not allowed: ${text}` : number
}

const ZONE_PART = /^[A-Za-z._0-9+-]{1,14}$/

/** What is wrong with the name of a time zone, in words; undefined when nothing is. */
export function timeZoneProblem(zone: string): string | undefined {
  if (zone === '') return 'timeZone must be nil or non-empty string'
  const isFormed = zone
    .split('/')
    .every((part) => part !== '.' && part !== '..' && !part.startsWith('-') && ZONE_PART.test(part))
  if (!isFormed) return `unknown time zone ${zone}`
  if (zone.toLowerCase() === 'local')
    return 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return undefined
  } catch {
    return `unknown time zone ${zone}`
  }
}
