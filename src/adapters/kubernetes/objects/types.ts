/** A JSON value as Kubernetes carries it. Objects handed out by a store are deeply frozen. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

/** The metadata of every object (Kubernetes API conventions, "Metadata"). */
export interface ObjectMeta extends JsonObject {
  readonly name: string
  /** Absent on cluster-scoped kinds. */
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly generateName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly JsonObject[]
  readonly managedFields?: readonly JsonObject[]
}

/** One Kubernetes object as JSON. */
export interface KubeObject extends JsonObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** Names one object: resource is `<plural>` or `<plural>.<group>`, such as `pods` or `replicasets.apps`. */
export interface ObjectKey {
  readonly resource: string
  /** Absent on cluster-scoped kinds. */
  readonly namespace?: string | undefined
  readonly name: string
}

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly description: string
  /** 0 is always shown, 1 only with `-o wide`. */
  readonly priority: 0 | 1
}

/** How a list in an object merges: by the value of these fields, as a set, or as one value. */
export type ListMerge =
  | { readonly type: 'map'; readonly keys: readonly string[] }
  | { readonly type: 'set' }

/** A part of an object with a path of its own, such as `status`. */
export interface ResourcePart {
  readonly name: string
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: readonly string[]
}

/** What is known of one kind. The one place where kinds differ as data. */
export interface Resource {
  /** `pods`, or `replicasets.apps`: unique. */
  readonly id: string
  /** Whether a definition defines it (apiextensions.k8s.io). Default: it is built in. */
  readonly custom?: boolean | undefined
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  /** The kind of a list of them. Default: the kind with `List` behind it. */
  readonly listKind?: string | undefined
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** What can be done with it, for what is served and not kept. Default: everything. */
  readonly verbs?: readonly string[] | undefined
  readonly namespaced: boolean
  /** Other groups and versions in which the same objects are read and written. */
  readonly views: readonly { readonly group: string; readonly version: string }[]
  /**
   * The versions that objects may have been written in: an object says which. Default: all are shown in
   * the version of the kind.
   */
  readonly writtenIn?: readonly string[] | undefined
  /** Every part that Kubernetes has of it; a server may serve fewer. */
  readonly parts: readonly ResourcePart[]
  /** Whether `status` is a subresource (then it lives in the observed document). */
  readonly status: boolean
  /** Whether changes of `spec` are counted in metadata.generation, as for kinds with a controller. */
  readonly counted: boolean
  /** Whether the scale subresource is served. */
  readonly scale: boolean
  /** Lists that merge, by path: `spec.containers`, `spec.containers.*.env` (`*` is any item of a list). */
  readonly lists: Readonly<Record<string, ListMerge>>
  /** Paths of maps that exist from the first event on, so that both sides may fill them while apart. */
  readonly maps: readonly string[]
  /** Fields that an update may not change, by path. */
  readonly immutable: readonly string[]
}

/**
 * An object as a store keeps it: as text, and as a tree when somebody looks. Whoever can do with the text,
 * or with a part of the tree, spares the rest.
 */
export interface ObjectRow {
  /** Its `metadata.name`. */
  readonly name: string
  /** Its `metadata.namespace`; undefined on cluster-scoped kinds. */
  readonly namespace: string | undefined
  /**
   * The object as JSON in UTF-8, in parts that follow each other, in this order: `apiVersion`, `kind`,
   * `metadata`, everything else. The first part ends no earlier than `metadata` begins. Other objects may have
   * some of the same parts: they may not be written to.
   */
  readonly parts: readonly Uint8Array[]
  /** The value of `metadata` in `parts`, in parts. */
  readonly metadataParts: readonly Uint8Array[]
  /** How many bytes `parts` have together. */
  readonly size: number
  /** The object, frozen. */
  readonly object: KubeObject
  /** The object, but `metadata.managedFields` may be missing: cheaper, for one look. Not to be changed. */
  readonly lean: KubeObject
  /** What of the object its metadata tells; anything else may be missing. Not to be changed. */
  readonly head: KubeObject
}

/**
 * What became of an object: it is shown; it was deleted; it was made somewhere and is not here, or not
 * yet; or no object of that name ever had the uid.
 */
export type ObjectFate = 'here' | 'gone' | 'unseen' | 'never'

/** What happened to an object, in order of resourceVersion. */
export interface ObjectEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** The object after the change; for DELETED its last state, at the resourceVersion of the deletion. */
  readonly object: KubeObject
  /** The object before a MODIFIED: for selectors that it may have left or entered. */
  readonly previous?: KubeObject | undefined
  /** `object` as the store keeps it, where it does. */
  readonly row?: ObjectRow | undefined
  /** `previous` as the store keeps it. */
  readonly previousRow?: ObjectRow | undefined
  readonly resourceVersion: number
}

/** The objects of a kind at one moment. */
export interface ObjectList {
  /** Ordered by namespace, then name. */
  readonly items: readonly KubeObject[]
  /** The same objects as the store keeps them, where it does: for who need not look at each. */
  readonly rows?: readonly ObjectRow[] | undefined
  /** Everything up to here is in `items`. A watch from here misses nothing. */
  readonly resourceVersion: number
}

/** How an object is added. */
export interface CreateOptions {
  /** Who writes, for the history: a field manager or a component name. */
  readonly author?: string | undefined
  /** Completes the object with what depends on the uid that it gets. Pure. */
  readonly complete?: ((object: KubeObject, uid: string) => KubeObject) | undefined
}

/** How an update is written, and what has to hold for it. */
export interface UpdateOptions {
  /**
   * Which document is written: the whole object but its status, only its status, or both, one after the
   * other.
   */
  readonly part: 'desired' | 'observed' | 'both'
  /**
   * What the writer had last seen. The difference between it and the result of the recipe is what is
   * written, leaf by leaf, so edits by others since then survive. Default: the current object.
   */
  readonly base?: KubeObject | undefined
  /** Refuses with Conflict unless the object is at this resourceVersion. */
  readonly resourceVersion?: string | undefined
  /** Refuses with Conflict unless the object has this uid. */
  readonly uid?: string | undefined
  /** Who writes, for the history: a field manager or a component name. */
  readonly author?: string | undefined
}

/** What becomes of what an object owns (metav1.DeletionPropagation). */
export type Propagation = 'Foreground' | 'Background' | 'Orphan'

/** How an object is asked to go, and what has to hold for it. */
export interface DeleteOptions {
  /** Seconds that a running pod gets to stop. Default: the pod's own. 0 removes it at once. */
  readonly gracePeriodSeconds?: number | undefined
  /**
   * What becomes of the objects that it owns. Foreground: they go first. Background: they go afterwards.
   * Orphan: they stay, and lose their owner. Default: what its finalizers say, else what is usual for the
   * kind, which for most is Background.
   */
  readonly propagation?: Propagation | undefined
  readonly resourceVersion?: string | undefined
  readonly uid?: string | undefined
  readonly author?: string | undefined
}

/**
 * The Kubernetes objects of one replica: read, written and watched as JSON.
 *
 * Reads are answered from memory and never wait. Writes resolve when they are durable on this
 * replica; they work with or without a connection. An object's resourceVersion is the newest position
 * of its documents in this replica's own log: a decimal number that only grows, and that means
 * nothing to another replica.
 *
 * Writes reject with {@link ObjectError}.
 */
export interface ObjectStore {
  /** Every kind that is served. Custom kinds come and go with their definitions. */
  readonly resources: readonly Resource[]
  /** Calls back after a custom kind came, went or became another. Returns how to stop. */
  onResources(listener: () => void): () => void
  /** What is known of a kind, or undefined when it is not served. */
  resource(id: string): Resource | undefined
  /** The newest resourceVersion that is durable here. */
  readonly resourceVersion: number
  /** One object as it is, frozen, or undefined when there is none. Two looks may give two equal trees. */
  get(key: ObjectKey): KubeObject | undefined
  /** What became of the object that had this uid under this name. It may not be here any more, or yet. */
  fateOf(key: ObjectKey, uid: string): Promise<ObjectFate>
  /** One object as it is kept, or undefined when there is none. */
  row?(key: ObjectKey): ObjectRow | undefined
  /** All objects of a kind, or those of one namespace. */
  list(resource: string, namespace?: string): ObjectList
  /**
   * Calls back for each change after `since` (default: now), in order, synchronously after it is
   * durable; what is already known since then is delivered before this returns.
   *
   * @throws ObjectError with reason `Expired` when history does not reach back to `since`.
   */
  watch(resource: string, options: WatchOptions, listener: (event: ObjectEvent) => void): () => void
  /** Adds an object. uid, creationTimestamp, generation and resourceVersion are assigned here. */
  create(object: KubeObject, options?: CreateOptions): Promise<KubeObject>
  /**
   * Changes an object. The recipe gets `base` (or the current object) and returns what it should be;
   * returning the same object writes nothing. Identity fields of metadata are kept as they are.
   */
  update(
    key: ObjectKey,
    recipe: (current: KubeObject) => KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject>
  /**
   * Asks for an object to go: a pod that a node runs, and anything with finalizers, gets a
   * deletionTimestamp and goes later; everything else goes at once.
   *
   * @returns the object as it is now, or as it last was.
   */
  delete(key: ObjectKey, options?: DeleteOptions): Promise<KubeObject>
  /** Ends a deletion: the object is gone for good on every replica, whatever its finalizers say. */
  remove(key: ObjectKey, options?: { readonly uid?: string }): Promise<void>
}

/** What a watch looks at, and from when on. */
export interface WatchOptions {
  readonly namespace?: string | undefined
  /** Only changes after this resourceVersion. */
  readonly since?: number | undefined
  /** Called on every advance of the log that changed nothing watched here, for bookmarks. */
  readonly onProgress?: ((resourceVersion: number) => void) | undefined
}

/** Why a write or a watch was refused, in the words of Kubernetes (metav1.StatusReason). */
export type ObjectErrorReason =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Invalid'
  | 'Forbidden'
  | 'Expired'
  | 'BadRequest'
  | 'RequestEntityTooLarge'
  | 'ServiceUnavailable'
  | 'InternalError'

/** One thing that is wrong with one field (metav1.StatusCause). */
export interface FieldCause {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldManagerConflict'
  readonly field: string
  readonly message: string
}

/** A refusal that maps onto a Kubernetes Status. */
export class ObjectError extends Error {
  readonly reason: ObjectErrorReason
  readonly key: ObjectKey | undefined
  readonly causes: readonly FieldCause[]

  constructor(
    reason: ObjectErrorReason,
    message: string,
    options: {
      readonly key?: ObjectKey | undefined
      readonly causes?: readonly FieldCause[]
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ObjectError'
    this.reason = reason
    this.key = options.key
    this.causes = options.causes ?? []
  }
}

/** Where the log of a container comes from: the runtime here, or a stream from the node that runs it. */
export interface PodLogs {
  /**
   * The log of one container as plain text, in pieces; ends when the container's log ends, or never
   * while `follow` is set and the container may still write.
   *
   * @throws ObjectError: NotFound (no such pod or container), BadRequest (the container has not
   * started, with kubelet's wording), ServiceUnavailable (the node is not connected).
   */
  open(request: LogRequest): Promise<AsyncIterable<Uint8Array>>
}

/** The query of `GET .../pods/NAME/log` (PodLogOptions). */
export interface LogRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tailLines?: number | undefined
  readonly limitBytes?: number | undefined
  readonly sinceSeconds?: number | undefined
  readonly sinceTime?: string | undefined
  readonly signal: AbortSignal
}
