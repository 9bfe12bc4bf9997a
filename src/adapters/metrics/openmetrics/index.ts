import { Counter, Gauge, Histogram, type OpenMetricsContentType, Registry } from 'prom-client'
import { UsageError } from '../../../core/errors.ts'
import type { Cancel } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type {
  Counter as CounterSink,
  Gauge as GaugeSink,
  HistogramOptions,
  Histogram as HistogramSink,
  Labels,
  MeasureOptions,
  Metrics,
} from '../../../core/interfaces/metrics.ts'

/** A registry of prom-client, in either of its text formats. */
type AnyRegistry = Registry | Registry<OpenMetricsContentType>

/** Options of {@link openMetrics}. */
export interface OpenMetricsOptions {
  /**
   * Where the measures are kept, for instance with those of the application. Default: a registry of its
   * own. Whoever gives one reads it as OpenMetrics or as Prometheus text, as it likes.
   */
  readonly registry?: Registry | Registry<OpenMetricsContentType> | undefined
  /** What every name begins with. Default `tideway_`. */
  readonly prefix?: string | undefined
  /** Told when what is looked up for a reading failed. Default: nobody; the rest is read all the same. */
  readonly logger?: Logger | undefined
}

/** {@link Metrics} that can be read as text. */
export interface OpenMetrics extends Metrics {
  /** What {@link text} is, for the header Content-Type. */
  readonly contentType: string
  /** Every measure, in the text format of OpenMetrics 1.0. */
  text(): Promise<string>
}

/**
 * Measures in a registry of prom-client, which has to be installed.
 *
 * Names follow OpenMetrics: what is counted ends in `_total`, units are `_seconds` and `_bytes`. Two
 * replicas that are given the same sink count into the same series.
 *
 * @throws UsageError when the prefix is not one that a name may begin with.
 */
export function openMetrics(options: OpenMetricsOptions = {}): OpenMetrics {
  const prefix = options.prefix ?? 'tideway_'
  if (!/^(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix)) {
    throw new UsageError(
      'USAGE_INVALID_ARGUMENT',
      'openMetrics() got a prefix that names cannot have',
      {
        field: 'prefix',
        prefix,
        allowed: 'letters, digits and underscores, not a digit first',
      },
    )
  }
  return new RegistryMetrics(options.registry ?? ownRegistry(), prefix, options.logger)
}

function ownRegistry(): AnyRegistry {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

class RegistryMetrics implements OpenMetrics {
  readonly #registry: AnyRegistry
  readonly #prefix: string
  readonly #logger: Logger | undefined
  readonly #collectors = new Set<() => void | Promise<void>>()

  constructor(registry: AnyRegistry, prefix: string, logger: Logger | undefined) {
    this.#registry = registry
    this.#prefix = prefix
    this.#logger = logger
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(): Promise<string> {
    for (const collect of [...this.#collectors]) {
      try {
        await collect()
      } catch (error) {
        this.#logger?.warn('some measures could not be looked up', { error })
      }
    }
    return await this.#registry.metrics()
  }

  counter(options: MeasureOptions): CounterSink {
    const counter = this.#once(Counter, `${options.name}_total`, (name) => {
      return new Counter({ ...this.#shape(options), name })
    })
    return {
      add: (value, labels: Labels = {}) => counter.inc(labels, value),
      remove: (labels) => counter.remove(labels),
    }
  }

  gauge(options: MeasureOptions): GaugeSink {
    const gauge = this.#once(Gauge, options.name, (name) => {
      return new Gauge({ ...this.#shape(options), name })
    })
    return {
      set: (value, labels: Labels = {}) => gauge.set(labels, value),
      remove: (labels) => gauge.remove(labels),
    }
  }

  histogram(options: HistogramOptions): HistogramSink {
    const histogram = this.#once(Histogram, options.name, (name) => {
      return new Histogram({ ...this.#shape(options), name, buckets: [...options.buckets] })
    })
    return { observe: (value, labels: Labels = {}) => histogram.observe(labels, value) }
  }

  onScrape(collect: () => void | Promise<void>): Cancel {
    this.#collectors.add(collect)
    return () => this.#collectors.delete(collect)
  }

  #shape(options: MeasureOptions): {
    readonly help: string
    readonly labelNames: string[]
    readonly registers: [AnyRegistry]
  } {
    const { help, labels = [] } = options
    return { help, labelNames: [...labels], registers: [this.#registry] }
  }

  /** The measure of this name, made at the first call. */
  #once<Kind>(
    kind: abstract new (...args: never[]) => Kind,
    name: string,
    make: (name: string) => Kind,
  ): Kind {
    const full = this.#prefix + name
    const known: unknown = this.#registry.getSingleMetric(full)
    if (known === undefined) return make(full)
    if (known instanceof kind) return known
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'another kind of measure has this name', {
      name: full,
    })
  }
}
