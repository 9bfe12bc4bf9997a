import {
  EVICTION_HARD,
  type EvictionOptions,
  type ImageCollectionOptions,
  isSignal,
  parseAmount,
  SIGNALS,
} from 'tideway/adapters/edged'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { durationSetting, type Setting, type Values } from '../shared/settings.ts'

/** What is said of signals, by signal. */
type BySignal<Value> = Readonly<Record<string, Value>>

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const SIGNAL_NAMES = Object.keys(SIGNALS).join(', ')
const DAYS_MAX = 365
/** The kernel has no more (PID_MAX_LIMIT). */
const PIDS_MAX = 4_194_304

/** Reads `1m30s`, as kubelet writes times, as milliseconds. */
function parseTime(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:ms|s|m|h))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)]
  const ms = parts.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0),
    0,
  )
  return ms <= DAYS_MAX * 24 * 3_600_000 ? ms : undefined
}

/** Reads `SIGNAL<VALUE,...`: each signal once, and an empty text as none. */
function parseBySignal<Value>(
  text: string,
  between: '<' | '=',
  parse: (text: string) => Value | undefined,
): BySignal<Value> | undefined {
  const values: Record<string, Value> = {}
  for (const part of text === '' ? [] : text.split(',')) {
    const at = part.indexOf(between)
    const signal = part.slice(0, Math.max(at, 0)).trim()
    const value = parse(part.slice(at + 1).trim())
    if (!isSignal(signal) || value === undefined || Object.hasOwn(values, signal)) return undefined
    values[signal] = value
  }
  return values
}

function bySignal<Value>(
  help: string,
  shown: string,
  between: '<' | '=',
  value: { readonly name: string; readonly allowed: string },
  parse: (text: string) => Value | undefined,
): Setting<BySignal<Value> | undefined> {
  return {
    help,
    placeholder: `SIGNAL${between}${value.name},...`,
    allowed: `${value.allowed}; signals are ${SIGNAL_NAMES}, each once`,
    shown,
    fallback: () => undefined,
    parse: (text) => parseBySignal(text, between, parse),
  }
}

function percentSetting(help: string, fallback: number): Setting<number> {
  return {
    help,
    placeholder: 'PERCENT',
    allowed: 'a whole number from 0 to 100',
    shown: String(fallback),
    fallback: () => fallback,
    parse: (text) => (/^\d{1,3}$/.test(text) && Number(text) <= 100 ? Number(text) : undefined),
  }
}

const amountText = (text: string): string | undefined =>
  parseAmount(text) === undefined ? undefined : text
const AMOUNT = { name: 'AMOUNT', allowed: 'such as memory.available<100Mi or nodefs.available<10%' }
const FREED = { name: 'AMOUNT', allowed: 'such as imagefs.available=2Gi or nodefs.available=5%' }
const GRACE = { name: 'DURATION', allowed: 'such as memory.available=1m30s' }

/** When the node ends pods because it runs short of something, and removes images; as kubelet is told. */
export const evictionSettings: {
  readonly evictionHard: Setting<BySignal<string> | undefined>
  readonly evictionSoft: Setting<BySignal<string> | undefined>
  readonly evictionSoftGracePeriod: Setting<BySignal<number> | undefined>
  readonly evictionMinimumReclaim: Setting<BySignal<string> | undefined>
  readonly evictionPressureTransitionPeriod: Setting<number>
  readonly evictionMaxPodGracePeriod: Setting<number>
  readonly imageGcHighThreshold: Setting<number>
  readonly imageGcLowThreshold: Setting<number>
  readonly minimumImageTtlDuration: Setting<number>
  readonly podMaxPids: Setting<number>
} = {
  evictionHard: bySignal(
    'what is too little: pods are evicted at once; given, it stands instead of all defaults',
    Object.entries(EVICTION_HARD)
      .map(([signal, amount]) => `${signal}<${amount}`)
      .join(','),
    '<',
    AMOUNT,
    amountText,
  ),
  evictionSoft: bySignal(
    'what is too little when it lasts longer than its grace',
    'none',
    '<',
    AMOUNT,
    amountText,
  ),
  evictionSoftGracePeriod: bySignal(
    'the grace of each soft threshold',
    'none',
    '=',
    GRACE,
    (text) => parseTime(text) || undefined,
  ),
  evictionMinimumReclaim: bySignal(
    'what has to be free above a threshold before it is enough again',
    'none',
    '=',
    FREED,
    amountText,
  ),
  evictionPressureTransitionPeriod: durationSetting(
    'how long a condition of the node outlasts its cause',
    '5m',
  ),
  evictionMaxPodGracePeriod: {
    help: 'what pods get at most that are evicted for a soft threshold, in seconds',
    placeholder: 'SECONDS',
    allowed: 'a whole number of at most 86400',
    shown: '0, which is a second',
    fallback: () => 0,
    parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 86_400 ? Number(text) : undefined),
  },
  imageGcHighThreshold: percentSetting(
    'how full the disk of images may be before those that nobody uses are removed; 100: they stay',
    85,
  ),
  imageGcLowThreshold: percentSetting('how full it is when enough of them are removed', 80),
  minimumImageTtlDuration: durationSetting(
    'how long an image has been here before it may go',
    '2m',
  ),
  podMaxPids: {
    help: 'how many processes and threads a pod may have together; 0: as many as the machine',
    placeholder: 'COUNT',
    allowed: 'a whole number from 0 to 4194304',
    shown: '0',
    fallback: () => 0,
    parse: (text) =>
      /^\d{1,7}$/.test(text) && Number(text) <= PIDS_MAX ? Number(text) : undefined,
  },
}

/** What edged is told of it. */
export interface NodeLimits {
  readonly eviction: EvictionOptions
  readonly imageCollection: ImageCollectionOptions
  readonly podProcessesMax: number | undefined
}

/**
 * Puts the settings together.
 *
 * @throws ProgramError `SETTING_INVALID` where one of them needs another one.
 */
export function nodeLimitsOf(settings: Values<typeof evictionSettings>): NodeLimits {
  const { evictionSoft = {}, evictionSoftGracePeriod = {} } = settings
  const { imageGcHighThreshold: highPercent, imageGcLowThreshold: lowPercent } = settings
  for (const signal of Object.keys(evictionSoft)) {
    if (evictionSoftGracePeriod[signal] !== undefined) continue
    const allowed = `--eviction-soft-grace-period with ${signal}=DURATION`
    throw invalid('--eviction-soft', `${signal} has no grace period`, allowed)
  }
  if (lowPercent > highPercent) {
    const allowed = `at most ${highPercent}, which is --image-gc-high-threshold`
    throw invalid('--image-gc-low-threshold', `${lowPercent} is not allowed`, allowed)
  }
  return {
    eviction: {
      hard: settings.evictionHard,
      soft: evictionSoft,
      softGraceMs: evictionSoftGracePeriod,
      minimumReclaim: settings.evictionMinimumReclaim,
      transitionMs: settings.evictionPressureTransitionPeriod,
      podGraceMsMax: settings.evictionMaxPodGracePeriod * 1_000,
    },
    imageCollection: { highPercent, lowPercent, ageMsMin: settings.minimumImageTtlDuration },
    podProcessesMax: settings.podMaxPids === 0 ? undefined : settings.podMaxPids,
  }
}

function invalid(field: string, wrong: string, allowed: string): ProgramError {
  const message = `${field}: ${wrong}; allowed: ${allowed}`
  return new ProgramError('SETTING_INVALID', EXIT.usage, message, { fields: { field, allowed } })
}
