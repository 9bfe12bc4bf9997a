import type { IncomingMessage } from 'node:http'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { writerOf } from './admit.ts'
import { applyConfiguration } from './apply/apply.ts'
import { type FieldSet, intersection, isEmptySet } from './apply/field-set.ts'
import { type Manager, readManagers, withManagers } from './apply/managers.ts'
import { fieldsOf } from './apply/typed-value.ts'
import { mediaType, parseJson, parseObject, parseYaml, readBody } from './body.ts'
import { apiVersionOf } from './catalog.ts'
import { keyOf, type RequestContext, shownAs } from './context.ts'
import { fieldsOfPath } from './custom/scale-paths.ts'
import { isObject, numberAt, textAt, withField } from './json.ts'
import type { Answer } from './negotiate.ts'
import { requireManager } from './option-checks.ts'
import type { Verb } from './request.ts'
import { type Reply, replyWith } from './respond.ts'
import { patchedScale, replicasOf, scaleOf, withScale } from './scale.ts'
import { badRequest, notFound, StatusError, unexpected } from './status.ts'
import { CUSTOM_SCALE_COLUMNS, SCALE_COLUMNS } from './table/scale-columns.ts'
import { includeObject, metadataOf, tableOf } from './table/table.ts'
import { writeObject } from './update.ts'

/** How a write of a scale changes the object that it is the scale of. */
interface ScaleChange {
  readonly change: (object: KubeObject) => KubeObject
  /** Whether ownership is recorded already, by server-side apply. */
  readonly isApplied: boolean
}

const PATCHES: ReadonlySet<string> = new Set([
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
])

/** Answers a request to `NAME/scale`: reads it, replaces it, or patches it in any of the four ways. */
export async function operateOnScale(
  context: RequestContext,
  verb: Verb,
  name: string,
  request: IncomingMessage,
  answer: Answer,
): Promise<Reply> {
  const current = context.store.get(keyOf(context, name))
  if (current === undefined) throw notFound(context.served, name)
  const paths = context.served.custom?.scale
  const shown = (object: KubeObject): JsonObject => scaleOf(shownAs(context, object), paths)
  const reply = (scale: JsonObject): Reply => scaleReply(context, scale, answer)
  if (verb === 'get') {
    if (paths !== undefined && replicasOf(shownAs(context, current), paths) === undefined)
      throw unexpected(`the spec replicas field ${JSON.stringify(paths.spec)} does not exist`)
    return reply(shown(current))
  }
  const bytes = await readBody(request)
  const type = mediaType(request.headers['content-type'])
  const { change, isApplied } =
    verb === 'update' ? replaced(context, bytes, type) : patched(context, name, bytes, type)
  const written = await writeObject(context, name, 'object', change, isApplied, 'scale')
  return reply(shown(written))
}

function scaleReply(context: RequestContext, scale: JsonObject, answer: Answer): Reply {
  const { format, as, metaVersion } = answer
  const object = scale as KubeObject
  if (as === 'metadata') return replyWith(metadataOf(object, metaVersion), 200, format)
  if (as !== 'table') return replyWith(scale, 200, format)
  const { resource, served, query, clock } = context
  const table = tableOf({
    resource,
    columns: served.custom === undefined ? SCALE_COLUMNS : CUSTOM_SCALE_COLUMNS,
    objects: [object],
    metadata: { resourceVersion: object.metadata.resourceVersion },
    include: includeObject(query),
    metaVersion,
    nowMs: clock.wallMs(),
    hasHeader: true,
  })
  return replyWith(table, 200, format)
}

function replaced(context: RequestContext, bytes: Uint8Array, type: string): ScaleChange {
  const { value } = parseObject(bytes, type)
  const paths = context.served.custom?.scale
  return { change: (object) => withScale(object, value, paths), isApplied: false }
}

function patched(
  context: RequestContext,
  name: string,
  bytes: Uint8Array,
  type: string,
): ScaleChange {
  if (type === 'application/apply-patch+yaml') return applied(context, name, bytes)
  if (!PATCHES.has(type))
    throw new StatusError('UnsupportedMediaType', '415: Unsupported Media Type', {})
  const isJsonPatch = type === 'application/json-patch+json'
  const paths = context.served.custom?.scale
  const { value } = parseJson(bytes, 'error decoding patch: ')
  return {
    change: (object) => withScale(object, patchedScale(object, value, isJsonPatch, paths), paths),
    isApplied: false,
  }
}

/** The number of replicas is all that a scale owns of its object. */
function applied(context: RequestContext, name: string, bytes: Uint8Array): ScaleChange {
  requireManager(context.query)
  const { value } = parseYaml(bytes)
  if (!isObject(value) || textAt(value, 'kind') !== 'Scale')
    throw badRequest('invalid object type: a Scale of autoscaling/v1 is expected')
  const given = textAt(value, 'metadata', 'name')
  if (given !== '' && given !== name)
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    )
  const replicas = numberAt(value, 'spec', 'replicas')
  const { served, options } = context
  const paths = served.custom?.scale
  const named = {
    apiVersion: apiVersionOf(served),
    kind: served.kind,
    metadata: { name },
  }
  const replicasPath = fieldsOfPath(paths?.spec ?? '.spec.replicas')
  const config = withField(named, replicasPath, replicas) as KubeObject
  const change = (object: KubeObject): KubeObject => {
    const checked = withScale(object, { ...value, spec: { replicas: replicas ?? 0 } }, paths)
    const { resourceVersion, uid } = checked.metadata
    const result = applyConfiguration(
      served.type,
      withReplicasOwned(object, fieldsOf(served.type, withField({}, replicasPath, replicas))),
      config,
      writerOf(context, 'scale'),
      options.force,
    )
    return {
      ...result,
      metadata: { ...result.metadata, resourceVersion: resourceVersion ?? '', uid: uid ?? '' },
    }
  }
  return { change, isApplied: true }
}

/** Replicas that nobody set, but a default, are taken over only by force: they were there first. */
function withReplicasOwned(object: KubeObject, replicas: FieldSet): KubeObject {
  const managers = readManagers(object)
  const isOwned = managers.some(({ fields }) => !isEmptySet(intersection(fields, replicas)))
  if (isOwned) return object
  const first: Manager = {
    name: 'before-first-apply',
    operation: 'Update',
    apiVersion: 'autoscaling/v1',
    subresource: 'scale',
    time: '',
    fields: replicas,
  }
  return withManagers(object, [...managers, first])
}
