import type { CollectionId, DocumentId, ReplicaId } from '../ids.ts'
import type { Denial } from '../log/submission.ts'
import type { EntryKind } from '../sync/io.ts'

/**
 * Who is at the other end, as the transport authenticated it. A policy compares it; it is never taken
 * from a message.
 */
export type Principal = string

/** One entry that a peer wants to have taken. */
export interface WriteRequest {
  readonly kind: EntryKind
  readonly document: DocumentId
  /** The home of the document here, or where the peer wants to put a new one. */
  readonly collection: CollectionId
  /** Whether the document is known here. */
  readonly exists: boolean
}

/**
 * Who may connect, read and write. Asked before anything is read or stored; the answer may change from
 * call to call, and what is not allowed is denied.
 */
export interface Policy {
  /** Whether a principal may act as this replica, whichever side dialled. Default: yes. */
  mayConnect?(principal: Principal, replica: ReplicaId): Denial | undefined
  /** Whether a principal may see every document of a collection. */
  mayRead(principal: Principal, collection: CollectionId): boolean
  /** Why a principal may not write this, or undefined when it may. Reading is checked apart. */
  mayWrite(principal: Principal, request: WriteRequest): Denial | undefined
  /**
   * Whether a principal may deliver events that another replica wrote; `author` is undefined when it is
   * not known whose they are. Not asked about its own, nor about ours that come back. Default: yes.
   */
  mayRelay?(principal: Principal, author: ReplicaId | undefined): boolean
}

/** The refusal that every policy starts from. */
export const DENIED: Denial = { code: 'ACCESS_DENIED', message: 'the policy does not allow this' }

/** Lets nobody read or write anything: the default. */
export const denyAll: Policy = { mayRead: () => false, mayWrite: () => DENIED }

/** Rules for one principal: the collections, by exact name or by prefix with a final `*`. */
export interface Grant {
  readonly read: readonly string[]
  readonly write: readonly string[]
  /** Where it may bring the base that ends the history of a document. Default: where it may write. */
  readonly cut?: readonly string[] | undefined
}

/** A policy from a table: principal to what it may read and write. Who is not in it may nothing. */
export function grants(table: Readonly<Record<Principal, Grant>>): Policy {
  const grantOf = (principal: Principal): Grant | undefined =>
    Object.hasOwn(table, principal) ? table[principal] : undefined
  return {
    mayRead: (principal, collection) => matches(grantOf(principal)?.read ?? [], collection),
    mayWrite: (principal, { kind, collection }) => {
      const grant = grantOf(principal)
      const allowed = matches(grant?.write ?? [], collection)
      const mayCut = kind !== 'base' || matches(grant?.cut ?? grant?.write ?? [], collection)
      return allowed && mayCut ? undefined : DENIED
    },
  }
}

function matches(patterns: readonly string[], collection: CollectionId): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? collection.startsWith(pattern.slice(0, -1)) : collection === pattern,
  )
}
