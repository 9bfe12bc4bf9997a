import type { UsageReport } from 'tideway/adapters/kubernetes/objects'

/** Changes that are smaller than both are not worth a message. */
const SHARE_MIN = 0.1
const NANO_CORES_MIN = 10_000_000
const MEMORY_BYTES_MIN = 2 << 20

/** Whether somebody who looks at what a node and its pods use would see another picture. */
export function looksDifferent(before: UsageReport, now: UsageReport): boolean {
  const known = figuresOf(before)
  const current = figuresOf(now)
  if (known.size !== current.size) return true
  for (const [name, { value, least }] of current) {
    const was = known.get(name)?.value
    if (was === undefined) return true
    const change = Math.abs(value - was)
    if (change >= least && change >= SHARE_MIN * Math.max(value, was)) return true
  }
  return false
}

interface Figure {
  readonly value: number
  /** A change that is smaller is none. */
  readonly least: number
}

/** Of containers. A node by itself is never quiet: what it uses is told along. */
function figuresOf(report: UsageReport): ReadonlyMap<string, Figure> {
  const figures = new Map<string, Figure>()
  for (const { uid, containers } of report.pods) {
    for (const { name, cpuNanoCores, memoryBytes } of containers) {
      figures.set(`${uid}/${name}/cpu`, { value: cpuNanoCores, least: NANO_CORES_MIN })
      figures.set(`${uid}/${name}/memory`, { value: memoryBytes, least: MEMORY_BYTES_MIN })
    }
  }
  return figures
}
