import { type Cause, forbiddenField, invalidValue, notSupported, required } from './kinds/checks.ts'
import type { Verb } from './request.ts'
import { invalid } from './status.ts'

const META = 'meta.k8s.io'
const MANAGER_BYTES_MAX = 128
const VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn']

const WRITES: Readonly<Partial<Record<Verb, string>>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
}

/**
 * Checks the parameters of a write: `dryRun`, `fieldManager`, `fieldValidation`.
 *
 * @throws StatusError 422 with a cause for each that is not allowed.
 */
export function checkWriteOptions(verb: Verb, query: URLSearchParams): void {
  const kind = WRITES[verb]
  if (kind === undefined) return
  const causes = [
    ...managerCauses(query.get('fieldManager') ?? ''),
    ...dryRunCauses(query.getAll('dryRun')),
    ...validationCauses(query.get('fieldValidation') ?? ''),
  ]
  if (causes.length > 0) throw invalid(kind, META, '', causes)
}

/** What is wrong with the values of `dryRun`, of which there is one, or none. */
export function dryRunCauses(values: readonly string[]): readonly Cause[] {
  return values.every((value) => value === 'All')
    ? []
    : [notSupported('dryRun', [...values], ['All'])]
}

function managerCauses(manager: string): readonly Cause[] {
  if (Buffer.byteLength(manager) > MANAGER_BYTES_MAX) {
    const message = `Too long: may not be more than ${MANAGER_BYTES_MAX} bytes`
    return [{ reason: 'FieldValueTooLong', field: 'fieldManager', message }]
  }
  const place = [...manager].findIndex((character) => !/\P{C}/u.test(character))
  if (place < 0) return []
  const code = [...manager][place]?.codePointAt(0) ?? 0
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return [invalidValue('fieldManager', manager, `invalid character ${name} (at position ${place})`)]
}

function validationCauses(validation: string): readonly Cause[] {
  return VALIDATIONS.includes(validation)
    ? []
    : [notSupported('fieldValidation', validation.slice(0, 64), VALIDATIONS)]
}

/**
 * Checks that an apply says who applies.
 *
 * @throws StatusError 422.
 */
export function requireManager(query: URLSearchParams): void {
  if (query.get('fieldManager')) return
  throw invalid('PatchOptions', META, '', [required('fieldManager', 'is required for apply patch')])
}

/**
 * Checks that a patch that is no apply takes nothing by force.
 *
 * @throws StatusError 422.
 */
export function refuseForce(query: URLSearchParams): void {
  if (!query.has('force')) return
  throw invalid('PatchOptions', META, '', [
    forbiddenField('force', 'may not be specified for non-apply patch'),
  ])
}

const MATCH = 'resourceVersionMatch'

/**
 * Checks which parameters of a list or a watch go together.
 *
 * @throws StatusError 422 with a cause for each that may not be here.
 */
export function checkListOptions(query: URLSearchParams, isWatch: boolean): void {
  const causes = isWatch ? watchCauses(query) : listCauses(query)
  if (causes.length > 0) throw invalid('ListOptions', META, '', causes)
}

function listCauses(query: URLSearchParams): readonly Cause[] {
  const match = query.get(MATCH) ?? ''
  const version = query.get('resourceVersion') ?? ''
  const causes: Cause[] = []
  if (match !== '') {
    if (version === '')
      causes.push(forbiddenField(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`))
    causes.push(...continueCauses(query))
    if (match !== 'Exact' && match !== 'NotOlderThan')
      causes.push(notSupported(MATCH, match.slice(0, 64), ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && version === '0')
      causes.push(forbiddenField(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`))
  }
  if (query.has('sendInitialEvents'))
    causes.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return causes
}

function watchCauses(query: URLSearchParams): readonly Cause[] {
  const match = query.get(MATCH) ?? ''
  const hasInitial = query.has('sendInitialEvents')
  const causes: Cause[] = []
  if (hasInitial && match !== 'NotOlderThan')
    causes.push(
      forbiddenField(MATCH, `sendInitialEvents requires setting ${MATCH} to NotOlderThan`),
    )
  if (match === '') return [...causes, ...continueCauses(query)]
  if (!hasInitial)
    causes.push(
      forbiddenField(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`),
    )
  if (match !== 'NotOlderThan')
    causes.push(notSupported(MATCH, match.slice(0, 64), ['NotOlderThan']))
  return [...causes, ...continueCauses(query)]
}

function continueCauses(query: URLSearchParams): readonly Cause[] {
  return (query.get('continue') ?? '') === ''
    ? []
    : [forbiddenField(MATCH, `${MATCH} is forbidden when continue is provided`)]
}
