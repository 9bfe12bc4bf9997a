import { BOOL, type CelType, DYN, INT, STRING } from '../cel/types.ts'

// What the expressions of admission see: conditions of webhooks and policies, and what policies are made of.

function object(fields: Readonly<Record<string, CelType>>): CelType {
  return { kind: 'object', fields: new Map(Object.entries(fields)) }
}

const KIND = object({ group: STRING, version: STRING, kind: STRING })
const RESOURCE = object({ group: STRING, version: STRING, resource: STRING })
const TEXTS: CelType = { kind: 'list', item: STRING }

const USER = object({
  username: STRING,
  uid: STRING,
  groups: TEXTS,
  extra: { kind: 'map', key: STRING, value: TEXTS },
})

/** What is known of a request in expressions. */
const REQUEST = object({
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER,
  dryRun: BOOL,
  options: DYN,
})

const LABELS: CelType = { kind: 'map', key: STRING, value: STRING }
const TIME: CelType = { kind: 'timestamp' }

/** What is known of the namespace of a request. Of its metadata, what others own and control is left out. */
const NAMESPACE = object({
  metadata: object({
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: LABELS,
    annotations: LABELS,
    UID: STRING,
    creationTimestamp: TIME,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIME,
    generation: INT,
    resourceVersion: STRING,
    finalizers: TEXTS,
  }),
  spec: object({ finalizers: TEXTS }),
  status: object({
    conditions: {
      kind: 'list',
      item: object({
        status: STRING,
        type: STRING,
        lastTransitionTime: TIME,
        message: STRING,
        reason: STRING,
      }),
    },
    phase: STRING,
  }),
})

/** What Kubernetes shows every expression of admission. */
const ALWAYS: Readonly<Record<string, CelType>> = {
  object: DYN,
  oldObject: DYN,
  request: REQUEST,
  namespaceObject: NAMESPACE,
}

const AUTHORIZER: Readonly<Record<string, CelType>> = {
  authorizer: { kind: 'authorizer' },
  'authorizer.requestResource': { kind: 'resourcecheck' },
}

/** The types of the variables of expressions of admission, by name. */
export function admissionVariables(has: {
  /** Whether a policy has parameters. */
  readonly params: boolean
  readonly authorizer: boolean
}): Readonly<Record<string, CelType>> {
  return {
    ...ALWAYS,
    ...(has.params ? { params: DYN } : {}),
    ...(has.authorizer ? AUTHORIZER : {}),
  }
}

/** The types of the variables of match conditions of webhooks, by name. */
export const CONDITION_VARIABLES: Readonly<Record<string, CelType>> = admissionVariables({
  params: false,
  authorizer: true,
})
