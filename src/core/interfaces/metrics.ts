import type { Cancel } from './clock.ts'

/** What tells the series of one measure apart. The names are fixed when the measure is made. */
export type Labels = Readonly<Record<string, string>>

/** What a measure is. */
export interface MeasureOptions {
  /** Snake case, with its unit at the end: `appended_events`, `log_bytes`. A sink may add a prefix. */
  readonly name: string
  /** One sentence for people. */
  readonly help: string
  /** The names of its labels. Default none. */
  readonly labels?: readonly string[] | undefined
}

/** What a histogram is. */
export interface HistogramOptions extends MeasureOptions {
  /** The upper bounds of its buckets, rising. What is larger is counted past the last. */
  readonly buckets: readonly number[]
}

/** Something that only grows. */
export interface Counter {
  /** Adds 0 or more. */
  add(value: number, labels?: Labels): void
  /** Forgets one series. */
  remove(labels: Labels): void
}

/** Something that goes up and down. */
export interface Gauge {
  /** Replaces the value of one series. */
  set(value: number, labels?: Labels): void
  /** Forgets one series. */
  remove(labels: Labels): void
}

/** How often something was how large. */
export interface Histogram {
  /** Counts one value. */
  observe(value: number, labels?: Labels): void
}

/**
 * Where measures go.
 *
 * A sink makes each measure once, by name, and must bear it when another replica of the process makes
 * the same one again: both then count into the same series. Nothing here may throw or wait: what is
 * measured is on the way of every event.
 *
 * What costs to find out is not kept up to date all the time: a replica registers with
 * {@link onScrape} and sets such gauges when somebody looks.
 */
export interface Metrics {
  /** A counter of this name. */
  counter(options: MeasureOptions): Counter
  /** A gauge of this name. */
  gauge(options: MeasureOptions): Gauge
  /** A histogram of this name. */
  histogram(options: HistogramOptions): Histogram
  /** Calls back each time before the measures are read, and waits for it. What it throws is the sink's to log. */
  onScrape(collect: () => void | Promise<void>): Cancel
}
