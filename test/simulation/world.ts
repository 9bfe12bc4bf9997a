import type { DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import type { Machine } from './simulator.ts'

/** The invariants of docs/invariants.md. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7'

/** What a checker knows of the world around it, and where it says what it found. */
export interface World {
  machines(): readonly Machine[]
  fail(invariant: Invariant, what: string): void
  /** Whether this event is in the log of a machine, as far as it told. */
  has(machine: ReplicaId, key: string): boolean
  /** The document was given another home at least once. */
  hasMoved(document: DocumentId): boolean
  /** The event was refused, and its author can see it. */
  isSetAside(key: string): boolean
  setAside(key: string): void
  /** Disks may go back to an older state. */
  readonly setsBack: boolean
  /** The event rotted on the disk of a machine, and has not come back. */
  isRotten(machine: ReplicaId, key: string): boolean
  /** The document moved, and the event rotted anywhere: who let it go may have relied on that disk. */
  isLetGo(document: DocumentId, key: string): boolean
  /** Nobody has what the event builds on: who has it keeps it, and nobody shows it. */
  isUnshown(key: string): boolean
  /** There may be two events for one place in the document, or its writer is refused for that. */
  isContested(document: DocumentId): boolean
}

/** An event within its document: equal first changes of two documents have one hash. */
export function eventKey(document: DocumentId, hash: EventHash): string {
  return `${document} ${hash}`
}
