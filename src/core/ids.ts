/** The text name of a document, unique in a fleet, such as `notes/today`. 1 to 512 UTF-8 bytes. */
export type DocumentId = string

/** The name of a set of documents: the unit of subscription and of access control. 1 to 256 UTF-8 bytes. */
export type CollectionId = string

/** The name of a replica, unique in a fleet. 1 to 128 UTF-8 bytes. */
export type ReplicaId = string

/** The identity of one log's numbering, 16 hex digits. A log that lost its tail gets a new one. */
export type Epoch = string

/** The name of one event: the SHA-256 of its content, 64 hex digits. */
export type EventHash = string

/** The writer of an event, 16 hex digits: stable for one replica and epoch. */
export type ActorId = string

/** The newest events of a document, sorted. They name one state of it. */
export type Heads = readonly EventHash[]

/** A place in one log. The first record is 1; 0 is before everything. */
export type Position = number
