import { BOOL, type CelType, DYN, STRING } from '../cel/types.ts'

// What the expressions of admission see (the variables of matchConditions).

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

/** The types of the variables of match conditions, by name. */
export const CONDITION_VARIABLES: Readonly<Record<string, CelType>> = {
  object: DYN,
  oldObject: DYN,
  request: object({
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
  }),
}
