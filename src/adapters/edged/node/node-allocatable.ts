import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseWhole } from '../../kubernetes/objects/quantity.ts'
import { amountIn, type Threshold } from '../eviction/thresholds.ts'

const HUGE_PAGES = '/sys/kernel/mm/hugepages'
const KIB = 1024
const UNITS = ['Ki', 'Mi', 'Gi', 'Ti'] as const

/** Memory that is set aside in pages of other sizes, by size: none where the kernel knows no such pages. */
export async function hugePages(): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const name of await readdir(HUGE_PAGES).catch(() => [])) {
    const size = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0) * KIB
    const count = Number(
      await readFile(join(HUGE_PAGES, name, 'nr_hugepages'), 'utf8').catch(() => 0),
    )
    if (size > 0 && count >= 0) found[`hugepages-${binary(size)}`] = binary(size * count)
  }
  return found
}

/** How much can be swapped out, in bytes. */
export async function swapBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  return Number(/^SwapTotal:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * KIB
}

/** What the firmware calls the machine; undefined where it does not say. */
export async function systemUuid(): Promise<string | undefined> {
  const text = await readFile('/sys/class/dmi/id/product_uuid', 'utf8').catch(() => '')
  return text.trim() === '' ? undefined : text.trim()
}

/**
 * What pods may have of a node: all but what has to stay free for it to need no evictions, and pages
 * of other sizes.
 */
export function allocatableOf(
  capacity: Readonly<Record<string, string>>,
  thresholds: readonly Threshold[],
): Readonly<Record<string, string>> {
  const kept = (signal: Threshold['signal'], of: number): number => {
    const hard = thresholds.find((each) => each.signal === signal && each.graceMs === 0)
    return hard === undefined ? 0 : amountIn(hard.value, { capacity: of })
  }
  const memory = parseWhole(capacity['memory'])
  const storage = parseWhole(capacity['ephemeral-storage'])
  const huge = Object.entries(capacity)
    .filter(([name]) => name.startsWith('hugepages-'))
    .reduce((sum, [, amount]) => sum + (parseWhole(amount) ?? 0), 0)
  return {
    ...capacity,
    ...(memory === undefined
      ? {}
      : { memory: kibibytes(memory - kept('memory.available', memory) - huge) }),
    ...(storage === undefined
      ? {}
      : { 'ephemeral-storage': String(Math.max(storage - kept('nodefs.available', storage), 0)) }),
  }
}

function kibibytes(bytes: number): string {
  const whole = Math.max(bytes, 0)
  return whole % KIB === 0 ? `${whole / KIB}Ki` : String(whole)
}

/** In the largest unit that leaves no rest. */
function binary(bytes: number): string {
  let value = bytes
  let unit = ''
  for (const next of UNITS) {
    if (value === 0 || value % KIB !== 0) break
    value /= KIB
    unit = next
  }
  return `${value}${unit}`
}
