import type { Clock } from '../../../core/interfaces/clock.ts'
import type { KubeObject, ObjectKey, ObjectStore, Resource } from '../objects/types.ts'
import type { Served } from './catalog.ts'
import type { Exclusive } from './exclusive.ts'
import { isTrue } from './request.ts'
import { badRequest } from './status.ts'

/** Who sends a request, as far as is proven. */
export interface User {
  readonly name: string
  readonly groups: readonly string[]
}

/** Says why a write is refused although the user may: undefined when it is not. */
export type WriteGuard = (key: ObjectKey, object: KubeObject | undefined) => string | undefined

/** Completes an object before it is created, as mutating admission does; pure. */
export type Admit = (key: ObjectKey, object: KubeObject) => KubeObject

/** What a request to one stored resource works with. */
export interface RequestContext {
  readonly store: ObjectStore
  readonly served: Served
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly query: URLSearchParams
  readonly options: WriteOptions
  readonly clock: Clock
  readonly mayWrite: WriteGuard
  readonly admit: Admit
  readonly exclusive: Exclusive
  /** Texts for `Warning` headers of the answer. */
  readonly warnings: string[]
}

/** The parameters of a write (metav1.CreateOptions, UpdateOptions, PatchOptions). */
export interface WriteOptions {
  readonly dryRun: boolean
  readonly manager: string
  readonly validation: 'Ignore' | 'Warn' | 'Strict'
  readonly force: boolean
}

const MANAGER_CHARACTERS_MAX = 128

/**
 * Reads the parameters of a write.
 *
 * @param agent the User-Agent, whose first word stands in for a missing field manager.
 * @throws StatusError 400 when one of them is not allowed.
 */
export function writeOptions(query: URLSearchParams, agent: string | undefined): WriteOptions {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '')
  if (dryRun.some((value) => value !== 'All')) {
    throw badRequest(
      `dryRun: Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`,
    )
  }
  const manager = query.get('fieldManager') ?? ''
  if (manager.length > MANAGER_CHARACTERS_MAX || /[^\x20-\x7e]/.test(manager)) {
    throw badRequest(
      `fieldManager: Invalid value: must be at most ${MANAGER_CHARACTERS_MAX} printable characters`,
    )
  }
  const validation = query.get('fieldValidation') ?? ''
  if (!/^(Ignore|Warn|Strict|)$/.test(validation)) {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation.slice(0, 64))}: supported values: "Ignore", "Warn", "Strict"`,
    )
  }
  return {
    dryRun: dryRun.length > 0,
    manager: manager !== '' ? manager : agentName(agent),
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
