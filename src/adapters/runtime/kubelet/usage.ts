import type { PodUsageReport, Usage, UsageReport } from '../../kubernetes/objects/usage.ts'
import { type FindKubelet, kubeletOf } from './access.ts'
import { askKubelet } from './ask.ts'

/** A kubelet measures each container this often, unless it is told otherwise. */
const WINDOW_MS = 10_000
const ANSWER_MS = 30_000
/** What 500 pods take is a tenth of it. */
const SUMMARY_BYTES_MAX = 16 << 20

/** The pod that a kubelet measured, as it knows it. */
export interface MeasuredPod {
  readonly namespace: string
  readonly name: string
  /** Of a static pod it is not the uid that the API shows. */
  readonly uid: string
}

/** A part of the answer; nothing in it is sure to be there. */
interface Stats {
  readonly cpu?: { readonly usageNanoCores?: number }
  readonly memory?: { readonly workingSetBytes?: number }
}

interface Summary {
  readonly node?: Stats
  readonly pods?: readonly {
    readonly podRef?: Partial<MeasuredPod>
    readonly containers?: readonly (Stats & { readonly name?: string })[]
  }[]
}

/**
 * What a node and its pods use, as its kubelet says.
 *
 * @param takenAtMs the time now, in milliseconds since 1970.
 * @param uidOf the uid by which the API shows a pod.
 * @throws ObjectError when the kubelet does not answer, SyntaxError when what it says is no JSON.
 */
export async function kubeletUsage(
  find: FindKubelet,
  takenAtMs: number,
  uidOf: (pod: MeasuredPod) => string,
): Promise<UsageReport> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const response = await askKubelet(kubeletOf(find), '/stats/summary', signal)
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > SUMMARY_BYTES_MAX) throw new Error('the summary of the kubelet is too long')
    pieces.push(piece)
  }
  const summary = JSON.parse(Buffer.concat(pieces).toString('utf8')) as Summary
  return reportOf(summary, takenAtMs, uidOf)
}

/** What an answer of `/stats/summary` says. Containers that were not measured yet are left out. */
export function reportOf(
  summary: Summary,
  takenAtMs: number,
  uidOf: (pod: MeasuredPod) => string,
): UsageReport {
  const pods = (summary.pods ?? []).flatMap(({ podRef = {}, containers = [] }) => {
    const { namespace, name, uid } = podRef
    if (namespace === undefined || name === undefined || uid === undefined) return []
    const measured = containers.flatMap((each) => {
      const usage = usageOf(each)
      return usage === undefined || each.name === undefined ? [] : [{ name: each.name, ...usage }]
    })
    const pod: MeasuredPod = { namespace, name, uid }
    const report: PodUsageReport = { ...pod, uid: uidOf(pod), containers: measured }
    return measured.length === 0 ? [] : [report]
  })
  const node = usageOf(summary.node ?? {}) ?? { cpuNanoCores: 0, memoryBytes: 0 }
  return { takenAtMs, windowMs: WINDOW_MS, node, pods }
}

function usageOf({ cpu, memory }: Stats): Usage | undefined {
  const cpuNanoCores = cpu?.usageNanoCores
  const memoryBytes = memory?.workingSetBytes
  if (cpuNanoCores === undefined || memoryBytes === undefined) return undefined
  return { cpuNanoCores: Math.trunc(cpuNanoCores), memoryBytes: Math.trunc(memoryBytes) }
}
