import { quoted } from '../../identity/attributes.ts'
import { nameProblems } from '../kinds/names.ts'
import type { FunctionTable } from './functions.ts'
import { CelError, opaque, type Special } from './values.ts'

/** What an expression asks of an authorizer. */
export interface CheckedAction {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly fieldSelector: string
  readonly labelSelector: string
  /** Set for a path that is no resource; all but the verb is empty then. */
  readonly path: string
  /** Who would act: `namespace/name` of a service account; undefined for who sent the request. */
  readonly account: string | undefined
}

/** What an authorizer answered an expression. */
export interface CheckedDecision {
  readonly allowed: boolean
  readonly reason: string
  /** What kept it from deciding; empty for nothing. */
  readonly error: string
}

/**
 * Answers what expressions ask of an authorizer.
 *
 * @throws anything but a CelError to end the evaluation, for one that has to look things up first.
 */
export type CheckAction = (action: CheckedAction) => CheckedDecision

/** What is in each value on the way to a decision. */
interface Check {
  readonly ask: CheckAction
  readonly action: CheckedAction
}

const NOTHING: CheckedAction = {
  verb: '',
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  fieldSelector: '',
  labelSelector: '',
  path: '',
  account: undefined,
}

/** The variable `authorizer`. */
export function authorizerValue(ask: CheckAction): Special {
  return opaque('authorizer', { ask, action: NOTHING })
}

/** The variable `authorizer.requestResource`: a check of what a request is about. */
export function resourceCheckValue(
  ask: CheckAction,
  about: Pick<CheckedAction, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>,
): Special {
  return opaque('resourcecheck', { ask, action: { ...NOTHING, ...about } })
}

function narrowed(key: keyof CheckedAction): (value: Special, text: string) => Special {
  return ({ inner }, text) => {
    const { ask, action } = inner as Check
    return opaque('resourcecheck', { ask, action: { ...action, [key]: text } })
  }
}

function stated(text: string, what: string): string {
  if (text.trim() === '') throw new CelError(`${what} must not be empty`)
  return text
}

function ofAccount({ inner }: Special, namespace: string, name: string): Special {
  if (nameProblems(name, 'subdomain').length > 0) throw new CelError('Invalid service account name')
  if (nameProblems(namespace, 'label').length > 0)
    throw new CelError('Invalid service account namespace')
  const { ask, action } = inner as Check
  return opaque('authorizer', { ask, action: { ...action, account: `${namespace}/${name}` } })
}

function decided({ inner }: Special, verb: string): Special {
  const { ask, action } = inner as Check
  return opaque('decision', ask({ ...action, verb }))
}

const decisionOf = ({ inner }: Special): CheckedDecision => inner as CheckedDecision

/** Functions that ask whether somebody may do something. */
export const AUTHORIZATION_FUNCTIONS: FunctionTable = {
  'authorizer.path(string): pathcheck': ({ inner }: Special, text: string) => {
    const { ask, action } = inner as Check
    return opaque('pathcheck', { ask, action: { ...action, path: stated(text, 'path') } })
  },
  'authorizer.group(string): groupcheck': ({ inner }: Special, group: string) => {
    const { ask, action } = inner as Check
    return opaque('groupcheck', { ask, action: { ...action, group } })
  },
  'authorizer.serviceAccount(string, string): authorizer': ofAccount,
  'groupcheck.resource(string): resourcecheck': (value: Special, text: string) =>
    narrowed('resource')(value, stated(text, 'resource')),
  'resourcecheck.subresource(string): resourcecheck': narrowed('subresource'),
  'resourcecheck.namespace(string): resourcecheck': narrowed('namespace'),
  'resourcecheck.name(string): resourcecheck': narrowed('name'),
  'resourcecheck.fieldSelector(string): resourcecheck': narrowed('fieldSelector'),
  'resourcecheck.labelSelector(string): resourcecheck': narrowed('labelSelector'),
  'pathcheck.check(string): decision': decided,
  'resourcecheck.check(string): decision': decided,
  'decision.allowed(): bool': (value: Special) => decisionOf(value).allowed,
  'decision.reason(): string': (value: Special) => decisionOf(value).reason,
  'decision.errored(): bool': (value: Special) => decisionOf(value).error !== '',
  'decision.error(): string': (value: Special) => decisionOf(value).error,
}

/** An action as a key: the same for the same question. */
export function actionKey(action: CheckedAction): string {
  return Object.values(action)
    .map((part) => quoted(String(part)))
    .join(' ')
}
