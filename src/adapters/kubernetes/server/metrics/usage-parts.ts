import { isObject, mapAt, mapsAt, numberAt, textAt } from '../../objects/read.ts'
import type {
  ContainerUsageReport,
  PodUsageReport,
  Usage,
  UsageReport,
} from '../../objects/usage.ts'
import type { UsagePart } from './usage-table.ts'

/** How many bytes of pods go into one part: with what is around them, less than a signal may have. */
const PART_BYTES_MAX = 24 * 1_024
/** More parts than this are not told: some 5,000 containers. */
const PARTS_MAX = 16

/**
 * Takes a report apart into messages that are small enough for signals of the engine, in order of their
 * index. Each is JSON.
 */
export function usageParts(report: UsageReport): readonly Uint8Array[] {
  const { pods, ...head } = report
  const groups: PodUsageReport[][] = [[]]
  let bytes = 0
  for (const pod of pods) {
    const size = JSON.stringify(pod).length
    if (bytes + size > PART_BYTES_MAX && groups.length < PARTS_MAX) {
      groups.push([])
      bytes = 0
    }
    // What does not fit into the last part stays out of it: a signal that is too long is none.
    if (bytes + size > PART_BYTES_MAX) break
    bytes += size
    groups.at(-1)?.push(pod)
  }
  const encoder = new TextEncoder()
  return groups.map((group, index) =>
    encoder.encode(JSON.stringify({ ...head, index, pods: group })),
  )
}

/** Reads a part that somebody sent; undefined when it is none. */
export function parseUsagePart(bytes: Uint8Array): UsagePart | undefined {
  const value = parse(bytes)
  if (!isObject(value)) return undefined
  const index = count(numberAt(value, 'index'))
  const takenAtMs = count(numberAt(value, 'takenAtMs'))
  const windowMs = count(numberAt(value, 'windowMs'))
  const node = usageOf(mapAt(value, 'node'))
  if (index === undefined || index >= PARTS_MAX || node === undefined) return undefined
  if (takenAtMs === undefined || takenAtMs > TIME_MS_MAX || windowMs === undefined) return undefined
  return { index, takenAtMs, windowMs, node, pods: mapsAt(value, 'pods').flatMap(podOf) }
}

/** The last moment that a JavaScript date can be. */
const TIME_MS_MAX = 8.64e15

function podOf(value: unknown): readonly PodUsageReport[] {
  const namespace = textAt(value, 'namespace')
  const name = textAt(value, 'name')
  const uid = textAt(value, 'uid')
  if (namespace === undefined || name === undefined || uid === undefined) return []
  return [{ namespace, name, uid, containers: mapsAt(value, 'containers').flatMap(containerOf) }]
}

function containerOf(value: unknown): readonly ContainerUsageReport[] {
  const name = textAt(value, 'name')
  const usage = usageOf(value)
  return name === undefined || usage === undefined ? [] : [{ name, ...usage }]
}

function usageOf(value: unknown): Usage | undefined {
  const cpuNanoCores = count(numberAt(value, 'cpuNanoCores'))
  const memoryBytes = count(numberAt(value, 'memoryBytes'))
  if (cpuNanoCores === undefined || memoryBytes === undefined) return undefined
  return { cpuNanoCores, memoryBytes }
}

function count(value: number | undefined): number | undefined {
  if (value === undefined || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) return undefined
  return Math.round(value)
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
