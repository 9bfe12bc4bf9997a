import type { Figures } from '../sync/harness/result.ts'

/**
 * What KubeEdge's edgecore showed, by the name of the row: measured once by hand on a machine of this kind (2 cores,
 * containerd 1.6, cloud and edge on loopback), not in this run. Its pods ran on containerd.
 */
export const KUBEEDGE: Readonly<Record<string, Figures>> = {
  'at the cloud, to running': { p50Ms: 439 },
  'at the cloud, to Ready there': { p50Ms: 1_150 },
  'many at once, to Ready at the cloud': { lastMs: 12_200 },
  'a config map, to the file in a pod': { leastMs: 7_700, mostMs: 80_000 },
  'edgecore without pods': { rssMiB: 117.6, privateMiB: 22.4, cpuMsAMinute: 730 },
  'edgecore with 50 pods': { rssMiB: 129.8, privateMiB: 38.1, cpuMsAMinute: 2_450 },
  'the link while nothing happens': { megabytesADay: 21.5 },
}
