import type { IncomingMessage } from 'node:http'
import type { JsonObject, KubeObject, ObjectRow } from '../objects/types.ts'
import { decodeObject } from './admit.ts'
import { bindPod } from './binding.ts'
import { parseObject, readBody } from './body.ts'
import { apiVersionOf } from './catalog.ts'
import { keyOf, type RequestContext, shownAs } from './context.ts'
import { createObject } from './create.ts'
import { type Deletion, deleteCollection, deleteObject, deletionOf } from './delete.ts'
import { convertedListBody, listBody, objectBytes, partialOf } from './encode.ts'
import { evictPod } from './eviction.ts'
import { at, isObject, objectAt, textAt } from './json.ts'
import { convertedPage } from './list.ts'
import type { Answer } from './negotiate.ts'
import { checkWriteOptions } from './option-checks.ts'
import { wholeOf } from './pieces.ts'
import { encodeProtobufList, PROTOBUF } from './protobuf/encode.ts'
import type { ResourceRequest } from './request.ts'
import { type Reply, replyWith } from './respond.ts'
import { operateOnScale } from './scale-requests.ts'
import { badRequest, notFound, StatusError, unknownResource } from './status.ts'
import { includeObject, metadataOf, tableOf } from './table/table.ts'
import { tableBody } from './table/table-text.ts'
import { type Part, patchObject, replaceObject, type Written, writeObject } from './update.ts'
import { reviewedPart } from './webhooks/reviewed-writes.ts'
import { NO_WEBHOOKS } from './webhooks/webhooks.ts'

/** What is said to who deletes a job and does not say what becomes of its pods. */
const PODS_STAY =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning'

/** Parts of a pod that are shown whole, also to who would rather have a table. */
const TABLELESS: ReadonlySet<string> = new Set(['ephemeralcontainers', 'resize'])

/** 405 for a verb that a resource does not have. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  )
}

/** Carries out one request to a stored resource that is answered with one document. */
export async function operate(
  context: RequestContext,
  info: ResourceRequest,
  request: IncomingMessage,
  answer: Answer,
): Promise<Reply> {
  const { name, subresource } = info
  // To authorization it is a GET, but nobody answers it.
  if (request.method === 'HEAD') throw methodNotAllowed()
  checkWriteOptions(info.verb, info.query)
  if (subresource === undefined && !context.served.verbs.includes(info.verb))
    throw methodNotAllowed()
  if (subresource !== undefined && name !== undefined) {
    return await operateOnPart(context, info, name, subresource, request, answer)
  }
  const type = request.headers['content-type']
  switch (info.verb) {
    case 'get': {
      const key = keyOf(context, name ?? '')
      const row = context.store.row?.(key)
      if (row !== undefined && isKept(context, answer))
        return { ...jsonText(''), bytes: objectBytes(row) }
      const object = row?.object ?? context.store.get(key)
      if (object === undefined) throw notFound(context.served, name ?? '')
      return objectReply(context, object, answer)
    }
    case 'list':
      return await listReply(context, answer)
    case 'create': {
      if (name !== undefined) throw methodNotAllowed()
      const bytes = await readBody(request)
      const object = decodeObject(context, parseObject(bytes, type, context.served.kind))
      return objectReply(context, await createObject(context, object), answer, 201)
    }
    case 'update':
    case 'patch': {
      if (name === undefined) throw methodNotAllowed()
      return writtenReply(context, await write(context, info, name, request, 'object'), answer)
    }
    case 'delete': {
      const wanted = await deletion(context, request)
      const isUnsaid = wanted.propagation === undefined && context.resource.id === 'jobs.batch'
      const left = shownIfKept(context, await deleteObject(context, name ?? '', wanted))
      if (isUnsaid) context.warnings.push(PODS_STAY)
      return replyWith(left, 200, answer.format)
    }
    case 'deletecollection': {
      const gone = await deleteCollection(context, await deletion(context, request))
      const metadata = { resourceVersion: String(context.store.resourceVersion) }
      return listOf(context, metadata, gone, answer)
    }
    case 'watch':
    case '':
      throw methodNotAllowed()
  }
}

async function deletion(context: RequestContext, request: IncomingMessage): Promise<Deletion> {
  return deletionOf(await readBody(request), request.headers['content-type'], context.query)
}

async function write(
  context: RequestContext,
  info: ResourceRequest,
  name: string,
  request: IncomingMessage,
  part: Part,
): Promise<Written> {
  const bytes = await readBody(request)
  const type = request.headers['content-type']
  if (info.verb === 'patch') return await patchObject(context, name, bytes, type, part)
  const body = parseObject(bytes, type, context.served.kind)
  return await replaceObject(context, name, body, part)
}

async function operateOnPart(
  context: RequestContext,
  info: ResourceRequest,
  name: string,
  subresource: string,
  request: IncomingMessage,
  answer: Answer,
): Promise<Reply> {
  const part = context.served.subresources.find((item) => item.name === subresource)
  if (part === undefined) throw unknownResource()
  if (!part.verbs.includes(info.verb)) throw methodNotAllowed()
  switch (subresource) {
    case 'status':
    case 'ephemeralcontainers':
    case 'resize': {
      const shown: Answer = TABLELESS.has(subresource) ? { ...answer, as: 'object' } : answer
      if (info.verb !== 'get')
        return writtenReply(context, await write(context, info, name, request, subresource), shown)
      const object = context.store.get(keyOf(context, name))
      if (object === undefined) throw notFound(context.served, name)
      return objectReply(context, object, shown)
    }
    case 'scale':
      return await operateOnScale(context, info.verb, name, request, answer)
    case 'finalize':
      return objectReply(context, await finalize(context, name, request), answer)
    case 'binding': {
      const body = parseObject(await readBody(request), request.headers['content-type'])
      // A binding that is created by itself says which pod it is about.
      const pod = name === '' ? textAt(body.value, 'metadata', 'name') : name
      const value = await reviewedPart(context, 'CREATE', subresource, pod, body.value)
      await bindPod(context, pod, { ...body, value })
      return replyWith(
        { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
        201,
      )
    }
    case 'eviction':
      return await evict(context, name, request)
    default:
      throw unknownResource()
  }
}

async function finalize(
  context: RequestContext,
  name: string,
  request: IncomingMessage,
): Promise<KubeObject> {
  const { value } = parseObject(await readBody(request), request.headers['content-type'])
  const finalizers = at(value, 'spec', 'finalizers') ?? []
  const change = (object: KubeObject): KubeObject =>
    ({ ...object, spec: { ...objectAt(object, 'spec'), finalizers } }) as unknown as KubeObject
  return await writeObject(context, name, 'object', change, false)
}

async function evict(
  context: RequestContext,
  name: string,
  request: IncomingMessage,
): Promise<Reply> {
  const { value } = parseObject(await readBody(request), request.headers['content-type'])
  const given = at(value, 'metadata', 'name')
  if (given !== undefined && given !== name)
    throw badRequest('name in URL does not match name in Eviction object')
  const options = at(value, 'deleteOptions')
  const bytes = Buffer.from(JSON.stringify(isObject(options) ? options : {}))
  const whole = { apiVersion: 'policy/v1', kind: 'Eviction', ...value }
  await reviewedPart(context, 'CREATE', 'eviction', name, whole)
  // It is looked at as an eviction, and not as a deletion too.
  const quiet: RequestContext = { ...context, webhooks: NO_WEBHOOKS }
  await evictPod(quiet, name, deletionOf(bytes, 'application/json', context.query))
  return replyWith(
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
    201,
  )
}

/** What a deletion leaves is an object or a Status. */
function shownIfKept(context: RequestContext, value: JsonObject): JsonObject {
  const isObjectOfKind = value['kind'] === context.resource.kind
  return isObjectOfKind ? shownAs(context, value as KubeObject) : value
}

function writtenReply(context: RequestContext, written: Written, answer: Answer): Reply {
  return objectReply(context, written.object, answer, written.isNew ? 201 : 200)
}

function objectReply(
  context: RequestContext,
  object: KubeObject,
  answer: Answer,
  code = 200,
): Reply {
  const { resource, query, clock } = context
  if (answer.as === 'table') {
    const table = tableOf({
      resource,
      columns: context.served.custom?.columns,
      objects: [object],
      shown: (item) => shownAs(context, item),
      metadata: { resourceVersion: object.metadata.resourceVersion },
      include: includeObject(query),
      metaVersion: answer.metaVersion,
      nowMs: clock.wallMs(),
      hasHeader: true,
    })
    return replyWith(table, code, answer.format)
  }
  const shown = shownAs(context, object)
  const body: JsonObject = answer.as === 'metadata' ? metadataOf(shown, answer.metaVersion) : shown
  if (answer.format === 'yaml') return replyWith(withoutUndefined(body), code, 'yaml')
  if (answer.format === 'protobuf') return replyWith(body, code, 'protobuf')
  return { ...jsonText(`${JSON.stringify(body)}\n`), code }
}

/** `yaml` would write what JSON leaves out. */
function withoutUndefined(body: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(body)) as JsonObject
}

function jsonText(text: string): Reply {
  return { code: 200, contentType: 'application/json', text }
}

/** Whether what is asked for is the very text that is kept. */
function isKept({ served }: RequestContext, { as, format }: Answer): boolean {
  return as === 'object' && format === 'json' && served.conversion === undefined
}

async function listReply(context: RequestContext, answer: Answer): Promise<Reply> {
  const { resource, served, query, clock } = context
  const { conversion } = served
  const { rows, metadata } = await convertedPage(context)
  const { as, format, metaVersion } = answer
  if (as === 'table') {
    const source = {
      resource,
      columns: served.custom?.columns,
      shown: conversion?.fromKept,
      metadata,
      include: includeObject(query),
      metaVersion,
      nowMs: clock.wallMs(),
      hasHeader: true,
    }
    if (format === 'json') return { ...jsonText(''), body: tableBody({ ...source, rows }) }
    return replyWith(tableOf({ ...source, objects: rows.map((row) => row.object) }), 200, format)
  }
  if (as !== 'metadata') return listOf(context, metadata, rows, answer)
  const kind = 'PartialObjectMetadataList'
  const apiVersion = `meta.k8s.io/${metaVersion}`
  if (format === 'json' && conversion === undefined) {
    const texts = rows.map((row) => partialOf(row, metaVersion))
    return { ...jsonText(''), body: convertedListBody(kind, apiVersion, metadata, texts) }
  }
  const partial = Array.from(shownItems(context, rows), (item) => metadataOf(item, metaVersion))
  return replyWith({ kind, apiVersion, metadata, items: partial }, 200, format)
}

/** The objects of a list, each made when it is its turn. */
function* shownItems(
  context: RequestContext,
  rows: readonly ObjectRow[],
): Generator<KubeObject, undefined> {
  for (const row of rows) yield shownAs(context, row.object)
}

function listOf(
  context: RequestContext,
  metadata: JsonObject,
  rows: readonly ObjectRow[],
  { format }: Answer,
): Reply {
  const { served } = context
  const kind = served.listKind ?? `${served.kind}List`
  const apiVersion = apiVersionOf(served)
  if (format === 'protobuf') {
    const bytes = encodeProtobufList(kind, apiVersion, metadata, shownItems(context, rows))
    if (bytes !== undefined) return { code: 200, contentType: PROTOBUF, text: '', bytes }
  }
  const body =
    served.conversion === undefined && served.custom === undefined
      ? listBody(kind, apiVersion, metadata, rows)
      : convertedListBody(kind, apiVersion, metadata, textsOf(context, rows))
  if (format !== 'yaml') return { ...jsonText(''), body }
  return replyWith(JSON.parse(wholeOf(body).toString('utf8')) as JsonObject, 200, 'yaml')
}

/** Items of a list of Kubernetes' own kinds do not say again what they are; those of definitions do. */
function* textsOf(
  context: RequestContext,
  rows: readonly ObjectRow[],
): Generator<string, undefined> {
  for (const item of shownItems(context, rows)) {
    const { apiVersion: _version, kind: _kind, ...rest } = item
    yield JSON.stringify(context.served.custom === undefined ? rest : item)
  }
}
