import type { Cancel } from '../interfaces/clock.ts'
import type { Measures } from './measures.ts'
import type { PeerMeasures } from './measures-peers.ts'
import type { StatusSources } from './status.ts'

/** Told what happens in a replica. */
export type MeasureSink = Omit<Measures, 'peers'> & {
  readonly peers: Pick<PeerMeasures, 'carried'>
}

/** How a replica is measured: `measuring()`, or {@link unmeasured}. */
export interface Measuring {
  readonly sink: MeasureSink
  /** Registers what is looked up only when somebody reads the measures. Undone by the returned function. */
  watch(sources: StatusSources): Cancel
}

const ignore = (): void => undefined

/** A replica that nobody measures. */
export const unmeasured: Measuring = {
  sink: {
    peers: { carried: ignore },
    appended: ignore,
    stored: ignore,
    merged: ignore,
    rejected: ignore,
    refused: ignore,
    renewed: ignore,
    repaired: ignore,
    caughtUp: ignore,
  },
  watch: () => ignore,
}
