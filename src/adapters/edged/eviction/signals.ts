/** What can run short on a node, as kubelet names what it looks at. */
export type Signal =
  | 'memory.available'
  | 'nodefs.available'
  | 'nodefs.inodesFree'
  | 'imagefs.available'
  | 'imagefs.inodesFree'
  | 'pid.available'

/** What a pod has to give back. */
export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids'

/** The conditions of a node that say that something runs short. */
export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'

/** How much there is of something, in bytes or in number. */
export interface Observation {
  readonly available: number
  readonly capacity: number
}

/** What was seen at one moment. A signal that this machine does not tell is left out. */
export type Observations = ReadonlyMap<Signal, Observation>

/** What a signal is about. */
export interface SignalMeaning {
  readonly resource: StarvedResource
  /** What the node says of itself while there is too little of it. */
  readonly condition: PressureCondition
}

const DISK: SignalMeaning = { resource: 'ephemeral-storage', condition: 'DiskPressure' }
const INODES: SignalMeaning = { resource: 'inodes', condition: 'DiskPressure' }

/** What each signal is about, the most urgent first. */
export const SIGNALS: Readonly<Record<Signal, SignalMeaning>> = {
  'memory.available': { resource: 'memory', condition: 'MemoryPressure' },
  'nodefs.available': DISK,
  'nodefs.inodesFree': INODES,
  'imagefs.available': DISK,
  'imagefs.inodesFree': INODES,
  'pid.available': { resource: 'pids', condition: 'PIDPressure' },
}

/** Whether a text names a signal. */
export function isSignal(text: string): text is Signal {
  return Object.hasOwn(SIGNALS, text)
}
