import type { Clock } from '../../../core/interfaces/clock.ts'
import type { User } from '../identity/user.ts'
import type { KubeObject, ObjectKey, ObjectStore, Resource } from '../objects/types.ts'
import type { Admission } from './admission/admission.ts'
import type { Served } from './catalog.ts'
import type { Exclusive } from './exclusive.ts'
import { isTrue } from './request.ts'
import type { RequestPlace } from './request-places.ts'
import type { Converted } from './webhooks/converted-store.ts'
import type { Webhooks } from './webhooks/webhooks.ts'

export type { User } from '../identity/user.ts'

/** Says why a write is refused although the user may: undefined when it is not. */
export type WriteGuard = (key: ObjectKey, object: KubeObject | undefined) => string | undefined

/** Completes an object before it is created, as mutating admission does; pure. */
export type Admit = (key: ObjectKey, object: KubeObject) => KubeObject

/** Who asks for something. */
export interface Asker {
  readonly user: User
  /** Adds a note to what the audit says of the request. */
  readonly annotate: (key: string, value: string) => void
  /** Adds warnings to the answer, also where it is a refusal. */
  readonly warn: (texts: readonly string[]) => void
}

/** What a request to one stored resource works with. */
export interface RequestContext {
  readonly store: ObjectStore
  /** Where a webhook converts the objects of the kind: lists and watches ask it. */
  readonly converted?: Converted | undefined
  readonly served: Served
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly query: URLSearchParams
  readonly options: WriteOptions
  readonly clock: Clock
  readonly mayWrite: WriteGuard
  /**
   * Resolves when the user may also do this to what the request is about.
   *
   * @throws StatusError 403.
   */
  readonly permit: (verb: string) => Promise<void>
  readonly admit: Admit
  readonly admission: Admission
  readonly exclusive: Exclusive
  readonly asker: Asker
  /** Those who look at writes from outside. */
  readonly webhooks: Pick<Webhooks, 'reviewOf'>
  /** The place of the request among those that are worked on. */
  readonly place: RequestPlace
  /** Texts for `Warning` headers of the answer. */
  readonly warnings: string[]
}

/** The parameters of a write (metav1.CreateOptions, UpdateOptions, PatchOptions). */
export interface WriteOptions {
  readonly dryRun: boolean
  readonly manager: string
  /** Who writes, for the history of documents: the manager and the user. */
  readonly author: string
  readonly validation: 'Ignore' | 'Warn' | 'Strict'
  readonly force: boolean
}

const MANAGER_CHARACTERS_MAX = 128
const USER_CHARACTERS_MAX = 256

/**
 * Reads the parameters of a write, which `checkWriteOptions` has still to allow.
 *
 * @param agent the User-Agent, whose first word stands in for a missing field manager.
 * @param user who sends the request.
 */
export function writeOptions(
  query: URLSearchParams,
  agent: string | undefined,
  user?: string,
): WriteOptions {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '')
  const manager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  const writer = manager !== '' ? manager : agentName(agent)
  return {
    dryRun: dryRun.length > 0,
    manager: writer,
    author: user === undefined ? writer : `${writer} by ${user.slice(0, USER_CHARACTERS_MAX)}`,
    validation: validation === '' ? 'Warn' : (validation as WriteOptions['validation']),
    force: isTrue(query.get('force')),
  }
}

function agentName(agent: string | undefined): string {
  const name =
    (agent ?? '')
      .split('/')[0]
      ?.replace(/[^\x20-\x7e]/g, '')
      .slice(0, MANAGER_CHARACTERS_MAX) ?? ''
  return name === '' ? 'unknown' : name
}

/** The time of a clock as metav1.Time writes it. */
export function nowText(clock: Clock): string {
  return `${new Date(clock.wallMs()).toISOString().slice(0, 19)}Z`
}

/** An object as the version of a request shows it. */
export function shownAs(
  { served }: Pick<RequestContext, 'served'>,
  object: KubeObject,
): KubeObject {
  return served.conversion?.fromKept(object) ?? object
}

/** An object of the version of a request as it is kept. */
export function keptAs({ served }: Pick<RequestContext, 'served'>, object: KubeObject): KubeObject {
  return served.conversion?.toKept(object) ?? object
}

/** The key of an object of this request. */
export function keyOf(
  context: Pick<RequestContext, 'resource' | 'namespace'>,
  name: string,
): ObjectKey {
  return { resource: context.resource.id, namespace: context.namespace, name }
}
