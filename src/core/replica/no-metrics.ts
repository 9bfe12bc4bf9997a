import type { Counter, Gauge, Histogram, Metrics } from '../interfaces/metrics.ts'

const ignore = (): void => undefined
const NOTHING: Counter & Gauge & Histogram = {
  add: ignore,
  set: ignore,
  observe: ignore,
  remove: ignore,
}

/** Measures nothing: the default. Each measure costs one empty call. */
export const noMetrics: Metrics = {
  counter: () => NOTHING,
  gauge: () => NOTHING,
  histogram: () => NOTHING,
  onScrape: () => ignore,
}
