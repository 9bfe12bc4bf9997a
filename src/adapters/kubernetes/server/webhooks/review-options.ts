import type { JsonObject } from '../../objects/types.ts'
import type { RequestContext } from '../context.ts'
import type { Deletion } from '../delete.ts'

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'DeleteOptions'

const head = (kind: OptionsKind): JsonObject => ({ kind, apiVersion: 'meta.k8s.io/v1' })

/** The parameters of a request as webhooks are told them: what the client said, and no more. */
export function writeOptionsOf({ query, options }: RequestContext, kind: OptionsKind): JsonObject {
  const manager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  return {
    ...head(kind),
    ...(options.dryRun ? { dryRun: ['All'] } : {}),
    ...(manager === '' ? {} : { fieldManager: manager }),
    ...(validation === '' ? {} : { fieldValidation: validation }),
  }
}

/** The same of a deletion. */
export function deleteOptionsOf(deletion: Deletion): JsonObject {
  const { gracePeriodSeconds, uid, resourceVersion, propagation, dryRun } = deletion
  const preconditions = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
  return {
    ...head('DeleteOptions'),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
    ...(dryRun ? { dryRun: ['All'] } : {}),
  }
}
