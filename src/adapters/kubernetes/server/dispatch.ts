import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiServerOptions } from './api-server.ts'
import { parseObject, readBody } from './body.ts'
import type { Catalog, Served } from './catalog.ts'
import { keyOf, nowText, type RequestContext, type User, writeOptions } from './context.ts'
import { createExclusive } from './exclusive.ts'
import { logRequest, sendLog } from './logs.ts'
import { negotiate } from './negotiate.ts'
import { methodNotAllowed, operate } from './operations.ts'
import { answerPath, type PathSource, PUBLIC_PATHS } from './paths.ts'
import { parseRequest, type RequestInfo, type ResourceRequest } from './request.ts'
import { type Reply, replyStatus, replyText, replyWith, send } from './respond.ts'
import { type Attributes, accessReview, reviewedAttributes, subjectReview } from './reviews.ts'
import { notFound, resourceText, StatusError, toStatus, unknownResource } from './status.ts'
import { startWatch } from './watch.ts'

/** How many requests, watches and logs apart, are worked on at once. More are told to come back. */
const REQUESTS_MAX = 400

/** How many watches and log streams are open at once. */
const STREAMS_MAX = 4_000

/** What a {@link Dispatcher} works with. */
export interface DispatcherOptions extends ApiServerOptions {
  readonly catalog: Catalog
  readonly paths: PathSource
}

/** Takes each request from its first line to its answer. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  /** How to end each stream that is open. */
  readonly #streams = new Set<() => void>()
  readonly #exclusive = createExclusive()
  #requests = 0
  #isClosing = false

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** Answers one request. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy())
    try {
      const reply = await this.#answer(request, response)
      if (reply !== undefined) await send(request, response, reply)
    } catch (error) {
      await this.#fail(request, response, error)
    } finally {
      // What the client still sends would otherwise be taken for its next request.
      if (!request.readableEnded && !request.destroyed) request.resume()
    }
  }

  /** Ends every watch and log stream in good order, and takes no new ones. */
  endStreams(): void {
    this.#isClosing = true
    for (const end of [...this.#streams]) end()
  }

  async #fail(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
    const status = toStatus(error, (id) => this.#options.catalog.byId(id))
    if (status.code === 500) {
      this.#options.logger.error('a request failed', {
        method: request.method,
        path: request.url?.split('?')[0],
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    if (response.headersSent) response.destroy()
    else {
      if (status.code === 413) response.setHeader('Connection', 'close')
      await send(request, response, replyStatus(status)).catch(() => response.destroy())
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
    const info = parseRequest(request.method ?? 'GET', request.url ?? '/')
    const isPublic = info.type === 'path' && PUBLIC_PATHS.has(info.path)
    const user = await this.#options.authenticate(request)
    if (user === undefined && !isPublic) throw new StatusError('Unauthorized', 'Unauthorized')
    if (info.type === 'path') return await this.#answerPath(request, info.path, user)
    if (user === undefined) throw new StatusError('Unauthorized', 'Unauthorized')
    const served = this.#options.catalog.find(info.group, info.version, info.plural)
    if (served === undefined) {
      await this.#authorize(user, attributesOf(info))
      throw unknownResource()
    }
    const isReview = served.resource === undefined
    if (!isReview) await this.#authorize(user, attributesOf(info))
    if (this.#requests >= REQUESTS_MAX) {
      throw new StatusError(
        'TooManyRequests',
        'The server has received too many requests and has asked us to try again later',
        { retryAfterSeconds: 1 },
      )
    }
    this.#requests += 1
    try {
      return isReview
        ? await this.#review(request, info, served, user)
        : await this.#resource(request, response, info, served)
    } finally {
      this.#requests -= 1
    }
  }

  async #answerPath(
    request: IncomingMessage,
    path: string,
    user: User | undefined,
  ): Promise<Reply> {
    if (user !== undefined && !PUBLIC_PATHS.has(path)) {
      const verb = (request.method ?? 'GET').toLowerCase()
      await this.#authorize(user, {
        verb,
        group: '',
        version: '',
        resource: '',
        subresource: '',
        namespace: '',
        name: '',
        path,
      })
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const reply = isRead ? answerPath(this.#options.paths, path, request.headers.accept) : undefined
    return reply ?? replyText('404 page not found\n', 404)
  }

  async #authorize(user: User, attributes: Attributes): Promise<void> {
    const why = await this.#refusal(user, attributes)
    if (why !== undefined) throw why
  }

  async #refusal(user: User, attributes: Attributes): Promise<StatusError | undefined> {
    const decision = (await this.#options.authorize?.(user, attributes)) ?? true
    if (decision === true) return undefined
    const { verb, resource, group, namespace, name, subresource, path } = attributes
    const asked = subresource === '' ? resource : `${resource}/${subresource}`
    const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
    const what =
      resource === ''
        ? `${verb} path "${path}"`
        : `${verb} resource "${asked}" in API group "${group}" ${scope}`
    const subject =
      resource === ''
        ? ''
        : `${resourceText({ plural: resource, group })}${name === '' ? '' : ` "${name}"`} is `
    const message = `${subject}forbidden: User "${user.name}" cannot ${what}: ${decision.reason}`
    return new StatusError('Forbidden', message, { name, group, kind: resource })
  }

  async #review(
    request: IncomingMessage,
    info: ResourceRequest,
    served: Served,
    user: User,
  ): Promise<Reply> {
    if (info.verb !== 'create' || info.name !== undefined) throw methodNotAllowed()
    const { format } = negotiate(request.headers.accept)
    const { value } = parseObject(await readBody(request), request.headers['content-type'])
    if (served.kind === 'SelfSubjectReview')
      return replyWith(subjectReview(user, nowText(this.#options.clock)), 201, format)
    const why = await this.#refusal(user, reviewedAttributes(served.type, value))
    return replyWith(accessReview(value, why?.message), 201, format)
  }

  async #resource(
    request: IncomingMessage,
    response: ServerResponse,
    info: ResourceRequest,
    served: Served,
  ): Promise<Reply | undefined> {
    const {
      store,
      clock,
      mayWrite = () => undefined,
      admit = (_key, object) => object,
    } = this.#options
    const resource = served.resource
    if (resource === undefined) throw unknownResource()
    checkScope(info, served)
    const isLog =
      info.subresource === 'log' && served.subresources.some((part) => part.name === 'log')
    const answer = negotiate(isLog ? undefined : request.headers.accept)
    const context: RequestContext = {
      store,
      served,
      resource,
      clock,
      mayWrite,
      admit,
      exclusive: this.#exclusive,
      namespace: info.namespace,
      query: info.query,
      options: writeOptions(info.query, request.headers['user-agent']),
      warnings: [],
    }
    if (isLog) return await this.#log(context, info, response)
    if (info.verb === 'watch') {
      this.#watch(context, answer, response)
      return undefined
    }
    return await operate(context, info, request, answer)
  }

  #watch(
    context: RequestContext,
    answer: ReturnType<typeof negotiate>,
    response: ServerResponse,
  ): void {
    this.#admitStream()
    const { store, resource, served, namespace, query, clock } = context
    const running = startWatch(
      { store, resource, served, namespace, query, answer, clock, random: Math.random },
      response,
    )
    const { end } = running
    this.#streams.add(end)
    void running.done.then(() => this.#streams.delete(end))
  }

  async #log(
    context: RequestContext,
    info: ResourceRequest,
    response: ServerResponse,
  ): Promise<undefined> {
    if (info.verb !== 'get') throw methodNotAllowed()
    const pod = context.store.get(keyOf(context, info.name ?? ''))
    if (pod === undefined) throw notFound(context.served, info.name ?? '')
    this.#admitStream()
    const stop = new AbortController()
    const end = (): void => stop.abort()
    const log = logRequest(pod, info.query, stop.signal)
    this.#streams.add(end)
    response.on('close', end)
    // A log may go on for hours; it counts as a stream, not as a request.
    this.#requests -= 1
    try {
      await sendLog(this.#options.logs, log, response)
    } finally {
      this.#requests += 1
      this.#streams.delete(end)
    }
    return undefined
  }

  #admitStream(): void {
    if (this.#isClosing)
      throw new StatusError('ServiceUnavailable', 'the server is shutting down', {
        retryAfterSeconds: 1,
      })
    if (this.#streams.size >= STREAMS_MAX) {
      throw new StatusError('TooManyRequests', 'too many watches and log streams are open', {
        retryAfterSeconds: 1,
      })
    }
  }
}

function checkScope(info: ResourceRequest, served: Served): void {
  const needsNamespace =
    info.name !== undefined || info.verb === 'create' || info.verb === 'deletecollection'
  if (served.namespaced && info.namespace === undefined && needsNamespace) {
    throw info.name === undefined ? methodNotAllowed() : unknownResource()
  }
  if (!served.namespaced && info.namespace !== undefined) throw unknownResource()
}

function attributesOf(info: RequestInfo & { type: 'resource' }): Attributes {
  return {
    verb: info.verb,
    group: info.group,
    version: info.version,
    resource: info.plural,
    subresource: info.subresource ?? '',
    namespace: info.namespace ?? '',
    name: info.name ?? '',
    path: '',
  }
}
