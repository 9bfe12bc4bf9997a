import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { userJson } from '../audit.ts'
import { parseJson } from '../body.ts'
import type { User } from '../context.ts'
import { isList, isObject, listAt, objectAt, textAt } from '../json.ts'
import { reviewObject } from './review-object.ts'
import type { Operation } from './rule-match.ts'
import { CallError } from './webhook-errors.ts'

/** What a webhook is asked about. */
export interface ReviewSubject {
  readonly operation: Operation
  readonly user: User
  readonly name: string
  readonly namespace: string | undefined
  readonly dryRun: boolean
  /** The parameters of the request, such as CreateOptions. */
  readonly options: JsonObject
  /** As the webhook sees them. */
  readonly object: KubeObject | JsonObject | undefined
  readonly old: KubeObject | JsonObject | undefined
}

/** A kind and a resource, in one version. */
export interface ReviewVersion {
  readonly kind: JsonObject
  readonly resource: JsonObject
  readonly subresource: string
}

/**
 * The `request` of an AdmissionReview.
 *
 * @param seen the version in which the webhook sees the object.
 * @param asked that of the request.
 */
export function reviewRequest(
  uid: string,
  subject: ReviewSubject,
  seen: ReviewVersion,
  asked: ReviewVersion,
): JsonObject {
  const part = seen.subresource === '' ? {} : { subResource: seen.subresource }
  const askedPart = asked.subresource === '' ? {} : { requestSubResource: asked.subresource }
  const { name, namespace, user, object, old } = subject
  return {
    uid,
    kind: seen.kind,
    resource: seen.resource,
    ...part,
    requestKind: asked.kind,
    requestResource: asked.resource,
    ...askedPart,
    ...(name === '' ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    operation: subject.operation,
    userInfo: userJson(user),
    object: object ?? null,
    oldObject: old ?? null,
    dryRun: subject.dryRun,
    options: subject.options,
  }
}

const GROUP = 'admission.k8s.io'
const KIND = 'AdmissionReview'

/** The body of a question. */
export function reviewBody(version: 'v1' | 'v1beta1', request: JsonObject): string {
  return JSON.stringify({ kind: KIND, apiVersion: `${GROUP}/${version}`, request })
}

/** What a webhook answered. */
export interface ReviewAnswer {
  readonly allowed: boolean
  /** The Status of a refusal, where it gives one. */
  readonly result: JsonObject | undefined
  /** The operations of a JSON patch; undefined for none. */
  readonly patch: Json | undefined
  readonly warnings: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
}

const FORM = { group: GROUP, kind: KIND, failure: 'failed to call webhook: ' }

/** How much of what a webhook adds to the audit is taken. */
const ANNOTATIONS_MAX = 32
const ANNOTATION_CHARACTERS_MAX = 10_240

/**
 * Reads an answer.
 *
 * @throws CallError for one that is none, in the words of kube-apiserver.
 */
export function readAnswer(
  bytes: Uint8Array,
  uid: string,
  version: 'v1' | 'v1beta1',
  isMutating: boolean,
): ReviewAnswer {
  const review = reviewObject(bytes, FORM)
  const response = review['response']
  if (!isObject(response)) throw invalidAnswer('webhook response was absent')
  if (version === 'v1') checkAnswer(review, response, uid, isMutating)
  const { patch, patchType } = response
  const isPatched = isMutating && typeof patch === 'string' && patch !== ''
  if (isPatched && version === 'v1' && patchType !== 'JSONPatch')
    throw new CallError(`unsupported patch type ${JSON.stringify(patchType ?? '')}`)
  const annotations = Object.entries(objectAt(response, 'auditAnnotations'))
  return {
    allowed: response['allowed'] === true,
    result: isObject(response['status']) ? response['status'] : undefined,
    patch: isPatched ? patchIn(patch) : undefined,
    warnings: listAt(response, 'warnings').map(String),
    annotations: Object.fromEntries(
      annotations
        .slice(0, ANNOTATIONS_MAX)
        .map(([key, value]) => [key, String(value).slice(0, ANNOTATION_CHARACTERS_MAX)]),
    ),
  }
}

function invalidAnswer(why: string): CallError {
  return new CallError(`received invalid webhook response: ${why}`)
}

function checkAnswer(
  review: JsonObject,
  response: JsonObject,
  uid: string,
  isMutating: boolean,
): void {
  const given = textAt(response, 'uid')
  if (given !== uid)
    throw invalidAnswer(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(given)}`,
    )
  const [kind, apiVersion] = [textAt(review, 'kind'), textAt(review, 'apiVersion')]
  if (kind !== KIND || apiVersion !== `${GROUP}/v1`) {
    const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
    throw invalidAnswer(
      `expected webhook response of ${GROUP}/v1, Kind=${KIND}, got ${version}, Kind=${kind}`,
    )
  }
  const hasPatch = (response['patch'] ?? '') !== ''
  const hasType = (response['patchType'] ?? undefined) !== undefined
  if (!isMutating && hasPatch)
    throw invalidAnswer('validating webhook may not return response.patch')
  if (!isMutating && hasType)
    throw invalidAnswer('validating webhook may not return response.patchType')
  if (hasPatch && !hasType)
    throw invalidAnswer('webhook returned response.patch but not response.patchType')
  if (!hasPatch && hasType)
    throw invalidAnswer('webhook returned response.patchType but not response.patch')
  if (response['patchType'] === '')
    throw invalidAnswer('webhook returned invalid response.patchType of ""')
}

function patchIn(patch: string): Json | undefined {
  try {
    const { value } = parseJson(Buffer.from(patch, 'base64'), '')
    if (!isList(value)) throw new SyntaxError('it is not a list of operations')
    return value.length === 0 ? undefined : value
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unreadable'
    throw new CallError(`received undecodable patch in webhook response: ${why}`)
  }
}
