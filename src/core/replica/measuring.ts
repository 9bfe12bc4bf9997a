import type { Metrics } from '../interfaces/metrics.ts'
import { Measures } from './measures.ts'
import { measureOnScrape } from './measures-scrape.ts'
import type { Measuring } from './unmeasured.ts'

/** Peers with measures of their own. */
const PEER_SERIES_MAX = 1_000

/** Measures a replica. docs/operations.md lists the names. */
export function measuring(metrics: Metrics, peerSeriesMax: number = PEER_SERIES_MAX): Measuring {
  const measures = new Measures(metrics, peerSeriesMax)
  return { sink: measures, watch: (sources) => measureOnScrape(metrics, measures, sources) }
}
