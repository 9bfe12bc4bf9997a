import { UsageError } from '../../../core/errors.ts'
import { canonicalQuantity, parseWhole } from '../../kubernetes/objects/quantity.ts'
import { isSignal, type Observation, SIGNALS, type Signal } from './signals.ts'

/** An amount of something: a quantity, or a part of all there is. */
export type Amount =
  | { readonly type: 'quantity'; readonly text: string; readonly value: number }
  | { readonly type: 'fraction'; readonly fraction: number }

/** When the node has to do something. */
export interface Threshold {
  readonly signal: Signal
  /** Less than this is too little. */
  readonly value: Amount
  /** How long it may be too little. 0: a hard threshold. */
  readonly graceMs: number
  /** What has to be there above `value` before it is enough again. */
  readonly reclaim: Amount | undefined
}

/** Thresholds as they are configured, by signal: `{ 'memory.available': '100Mi' }`. */
export interface ThresholdOptions {
  /** Quantities or percentages. Default: {@link EVICTION_HARD}. */
  readonly hard?: Readonly<Record<string, string>> | undefined
  /** Quantities or percentages. Default: none. */
  readonly soft?: Readonly<Record<string, string>> | undefined
  /** How long each soft threshold may be crossed, in milliseconds: one for every soft threshold. */
  readonly softGraceMs?: Readonly<Record<string, number>> | undefined
  /** What has to be freed above a threshold. Default: nothing. */
  readonly minimumReclaim?: Readonly<Record<string, string>> | undefined
}

/** The hard thresholds of kubelet on Linux. */
export const EVICTION_HARD: Readonly<Record<string, string>> = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
}

/**
 * Reads what is configured. `0%` and `100%` switch a threshold off, as in kubelet.
 *
 * @throws UsageError `USAGE_INVALID_ARGUMENT` with the signal, the value and what is allowed.
 */
export function thresholdsOf(options: ThresholdOptions): readonly Threshold[] {
  const { hard = EVICTION_HARD, soft = {}, softGraceMs = {}, minimumReclaim = {} } = options
  const reclaims = new Map(
    Object.entries(minimumReclaim).map(([signal, text]) => [
      checkedSignal('minimumReclaim', signal),
      amountOf('minimumReclaim', signal, text),
    ]),
  )
  const graces = new Map(
    Object.entries(softGraceMs).map(([signal, ms]) => [
      checkedSignal('softGraceMs', signal),
      checkedGrace(signal, ms),
    ]),
  )
  const read = (
    field: 'hard' | 'soft',
    texts: Readonly<Record<string, string>>,
  ): readonly Threshold[] =>
    Object.entries(texts).flatMap(([name, text]) => {
      const signal = checkedSignal(field, name)
      const graceMs = field === 'hard' ? 0 : graces.get(signal)
      if (graceMs === undefined) throw invalid('softGraceMs', name, undefined, 'a time for it')
      if (text === '0%' || text === '100%') return []
      const value = amountOf(field, name, text)
      return [{ signal, value, graceMs, reclaim: reclaims.get(signal) }]
    })
  return [...read('hard', hard), ...read('soft', soft)]
}

/** An amount of what there is: part of it is rounded down to whole bytes. */
export function amountIn(amount: Amount, { capacity }: Pick<Observation, 'capacity'>): number {
  return amount.type === 'quantity' ? amount.value : Math.trunc(capacity * amount.fraction)
}

/**
 * Reads a quantity above 0 or a percentage from 0 to 100.
 *
 * @returns undefined when it is neither.
 */
export function parseAmount(text: string): Amount | undefined {
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1]
  if (percent !== undefined) {
    const value = Number(percent)
    // In the precision of kubelet, which has 10 % of a large disk differ by some bytes.
    return value > 100
      ? undefined
      : { type: 'fraction', fraction: Math.fround(Math.fround(value) / 100) }
  }
  const value = parseWhole(text)
  const shown = canonicalQuantity(text)
  if (value === undefined || shown === undefined || value <= 0) return undefined
  return { type: 'quantity', text: shown, value }
}

function amountOf(field: string, signal: string, text: string): Amount {
  const amount = parseAmount(text)
  if (amount !== undefined) return amount
  throw invalid(field, signal, text, 'a quantity above 0, such as 100Mi, or 0% to 100%')
}

function checkedSignal(field: string, name: string): Signal {
  if (isSignal(name)) return name
  throw invalid(field, name, undefined, Object.keys(SIGNALS).join(', '))
}

function checkedGrace(signal: string, ms: number): number {
  if (Number.isFinite(ms) && ms > 0) return ms
  throw invalid('softGraceMs', signal, String(ms), 'milliseconds, above 0')
}

function invalid(field: string, signal: string, value: string | undefined, allowed: string): Error {
  return new UsageError('USAGE_INVALID_ARGUMENT', `a threshold of eviction.${field} is wrong`, {
    ...{ field, signal, allowed },
    ...(value === undefined ? {} : { value }),
  })
}
