import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ObjectStore } from '../objects/types.ts'
import { type Admission, createAdmission } from './admission/admission.ts'
import { guardNodes } from './admission/node-restriction.ts'
import { answerToken } from './answer-token.ts'
import type { ApiServerOptions } from './api-server.ts'
import { type AuditTrail, annotate, audited } from './audit.ts'
import { attributesOf, requireAllowed } from './authorization.ts'
import { isApply, parseObject, readBody } from './body.ts'
import type { Catalog, Served } from './catalog.ts'
import type { ConnectionLimits } from './connections.ts'
import { keyOf, nowText, type RequestContext, type User, writeOptions } from './context.ts'
import { createExclusive } from './exclusive.ts'
import { guardGrants } from './grants.ts'
import { impersonatedUser } from './impersonate.ts'
import { logRequest, sendLog } from './logs.ts'
import { isMetrics, metricsStore } from './metrics/metrics-objects.ts'
import { negotiate, plainFormat } from './negotiate.ts'
import { methodNotAllowed, operate } from './operations.ts'
import { operateOnPath, type PathAnswers } from './path-requests.ts'
import { type PathSource, PUBLIC_PATHS } from './paths.ts'
import type { Patience } from './pieces.ts'
import { isTrue, parseRequest, type RequestInfo, type ResourceRequest } from './request.ts'
import { createRequestCounts } from './request-counts.ts'
import { type RequestPlace, RequestPlaces } from './request-places.ts'
import { checkScope, hasGroup, isCustomGroup, isOutOfScope } from './request-scope.ts'
import { prettied, type Reply, replyStatus, replyText, replyWith, send } from './respond.ts'
import { review } from './reviews.ts'
import { notFound, StatusError, tooManyRequests, toStatus, unknownResource } from './status.ts'
import { type ConnectRequest, checkUpgrade, connect, isConnect } from './streams/connect.ts'
import { STREAM_IDLE_MS } from './streams/idle.ts'
import type { Upgrade } from './streams/upgrade.ts'
import { warnOf } from './warnings.ts'
import { startWatch } from './watch.ts'
import { createWebhooks, type Webhooks } from './webhooks/webhooks.ts'

/** How many watches and log streams are open at once. */
const STREAMS_MAX = 4_000

/** What Kubernetes warns of whoever uses it, by resource id. */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  endpoints: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
}

/** What a {@link Dispatcher} works with. */
export interface DispatcherOptions extends ApiServerOptions {
  readonly limits: ConnectionLimits
  readonly catalog: Catalog
  readonly paths: PathSource
}

/** Takes each request from its first line to its answer. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  /** How to end each stream that is open. */
  readonly #streams = new Set<() => void>()
  readonly #exclusive = createExclusive()
  readonly #admission: Admission
  readonly #webhooks: Webhooks
  readonly #metrics: ObjectStore
  readonly #paths: PathAnswers
  readonly #patience: Patience
  readonly #places = new RequestPlaces()
  #isClosing = false

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { store, serviceAccounts = false, usage, clock, limits } = options
    this.#patience = { clock, stallMs: limits.stallMs }
    this.#metrics = usage === undefined ? store : metricsStore(store, usage, clock)
    this.#admission = createAdmission({ store, serviceAccounts, clock })
    this.#webhooks = createWebhooks(options)
    const counts = createRequestCounts(clock, options.catalog)
    this.#paths = { paths: options.paths, accounts: options.identity?.accounts, counts }
  }

  /** Answers one request. Never rejects. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: Upgrade,
  ): Promise<void> {
    response.on('error', () => response.destroy())
    try {
      const reply = await this.#answer(request, response, upgrade)
      if (reply !== undefined)
        await send(request, response, prettied(reply, request), this.#patience)
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

  /** Gives up what it holds. No request is going on any more. */
  close(): void {
    this.#webhooks.close()
  }

  async #fail(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
    const status = toStatus(error, (id) => this.#options.catalog.byId(id))
    if (status.code === 500 && !(error instanceof StatusError)) {
      this.#options.logger.error('a request failed', {
        method: request.method,
        path: request.url?.split('?')[0],
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    if (response.headersSent) response.destroy()
    else {
      if (status.code === 413) response.setHeader('Connection', 'close')
      const format = plainFormat(request.headers.accept)
      const reply = replyStatus(status, format)
      await send(request, response, reply, this.#patience).catch(() => response.destroy())
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: Upgrade | undefined,
  ): Promise<Reply | undefined> {
    const { audit, clock, catalog } = this.#options
    const trail: AuditTrail = audit === undefined ? {} : audited(request, response, clock, audit)
    const info = parseRequest(request.method ?? 'GET', request.url ?? '/')
    this.#paths.counts.begin(info, request.method ?? 'GET', response)
    if (upgrade !== undefined) checkUpgrade(request.method, info)
    const user = await this.#admit(request, info, trail)
    if (info.type === 'path') return operateOnPath(this.#paths, request, info)
    // Only a path may be public.
    if (user === undefined) throw unauthorized()
    const served = catalog.find(info.group, info.version, info.plural)
    if (served === undefined) {
      if (!hasGroup(catalog, info.group) || isCustomGroup(catalog, info.group))
        return replyText('404 page not found\n', 404)
      throw unknownResource()
    }
    if (served.custom !== undefined && isOutOfScope(info, served))
      return replyText('404 page not found\n', 404)
    const place = this.#places.enter(served.custom?.webhook !== undefined)
    try {
      if (served.resource !== undefined)
        return await this.#resource(request, response, info, served, user, upgrade, trail, place)
      const pods = served.kind === 'Binding' ? catalog.byId('pods') : undefined
      if (pods === undefined || info.verb !== 'create')
        return await this.#review(request, info, served, user)
      const binding = { ...info, name: '', subresource: 'binding' }
      return await this.#resource(request, response, binding, pods, user, undefined, trail, place)
    } finally {
      place.leave()
    }
  }

  /**
   * Who a request is from, or wants to be; refuses what they may not.
   *
   * @returns undefined for a public path and nobody.
   */
  async #admit(
    request: IncomingMessage,
    info: RequestInfo,
    trail: AuditTrail,
  ): Promise<User | undefined> {
    const { authenticate, authorize } = this.#options
    const attributes = attributesOf(info, request)
    trail.attributes = attributes
    const isPublic = info.type === 'path' && PUBLIC_PATHS.has(info.path)
    const asker = await authenticate(request)
    if (asker === undefined) {
      if (isPublic && request.headers.authorization === undefined) return undefined
      throw unauthorized()
    }
    trail.user = asker
    const acting = await impersonatedUser(request, asker, attributes, authorize)
    if (acting !== undefined) trail.impersonated = acting
    const user = acting ?? asker
    if (isPublic) return user
    trail.reason = ''
    trail.reason = await requireAllowed(authorize, user, attributes)
    return user
  }

  async #review(
    request: IncomingMessage,
    info: ResourceRequest,
    served: Served,
    user: User,
  ): Promise<Reply> {
    const { authorize, authenticate, identity, clock } = this.#options
    if (info.name !== undefined) throw unknownResource()
    if (info.verb !== 'create') throw methodNotAllowed()
    if (served.namespaced !== (info.namespace !== undefined)) throw unknownResource()
    const { format } = negotiate(request.headers.accept)
    const { value } = parseObject(await readBody(request), request.headers['content-type'])
    const { rbac, accounts } = identity ?? {}
    const { namespace, query } = info
    const { manager } = writeOptions(query, request.headers['user-agent'])
    const answer = await review(
      { authorize, authenticate, rbac, accounts },
      { served, body: value, user, namespace, request, time: nowText(clock), manager },
    )
    return replyWith(answer, 201, format)
  }

  async #resource(
    request: IncomingMessage,
    response: ServerResponse,
    info: ResourceRequest,
    served: Served,
    user: User,
    upgrade: Upgrade | undefined,
    trail: AuditTrail,
    place: RequestPlace,
  ): Promise<Reply | undefined> {
    const {
      identity,
      clock,
      mayWrite = () => undefined,
      admit = (_key, object) => object,
    } = this.#options
    const resource = served.resource
    if (resource === undefined) throw unknownResource()
    const kept = isMetrics(resource) ? this.#metrics : this.#options.store
    const refuses = isApply(request) && !isTrue(info.query.get('force'))
    const converted = this.#webhooks.convertedOf(served, kept, info.verb, refuses)
    const { store } = converted ?? { store: kept }
    checkScope(info, served)
    const deprecation = DEPRECATIONS[resource.id] ?? served.custom?.warning
    // Whatever comes of the request.
    if (deprecation !== undefined) warnOf(response, [deprecation])
    if (resource.id === 'serviceaccounts' && info.subresource === 'token')
      return await answerToken(request, info, user, this.#options)
    const isLog =
      info.subresource === 'log' && served.subresources.some((part) => part.name === 'log')
    const { verb } = info
    const shape = verb === 'list' || verb === 'watch' ? verb : 'object'
    const answer = negotiate(
      isLog || isConnect(info, served) ? undefined : request.headers.accept,
      shape,
    )
    const context: RequestContext = {
      store,
      converted,
      served,
      resource,
      clock,
      mayWrite: guardNodes(
        kept,
        user,
        guardGrants(kept, user, identity?.rbac, this.#options.catalog, mayWrite),
      ),
      permit: async (verb) => {
        const attributes = { ...attributesOf(info, request), verb }
        await requireAllowed(this.#options.authorize, user, attributes)
      },
      admit,
      admission: this.#admission,
      exclusive: this.#exclusive,
      asker: {
        user,
        annotate: (key, value) => annotate(trail, key, value),
        warn: (texts) => warnOf(response, texts),
      },
      webhooks: this.#webhooks,
      place,
      namespace: info.namespace,
      query: info.query,
      options: writeOptions(info.query, request.headers['user-agent'], user.name),
      warnings: [],
    }
    if (isLog) return await this.#log(context, info, response)
    if (isConnect(info, served))
      return await this.#connect({ info, request, response, upgrade }, context)
    if (info.verb === 'watch') {
      this.#watch(context, answer, response)
      return undefined
    }
    await converted?.prepare(keyOf(context, info.name ?? ''))
    try {
      return await operate(context, info, request, answer)
    } finally {
      // Also what is refused may be told more of; a change that was tried twice is told once.
      warnOf(response, [...new Set(context.warnings)])
    }
  }

  #watch(
    context: RequestContext,
    answer: ReturnType<typeof negotiate>,
    response: ServerResponse,
  ): void {
    this.#admitStream()
    const { store, resource, served, namespace, query, clock, converted } = context
    const source = { store, resource, served, namespace, query, answer, clock, converted }
    const { limits } = this.#options
    const running = startWatch({ ...source, ...limits, random: Math.random }, response)
    const { end } = running
    this.#streams.add(end)
    const stop = this.#followKind(served, end)
    void running.done.then(() => {
      stop()
      this.#streams.delete(end)
    })
  }

  /** Ends a watch of a kind that is no longer served as it was: its client looks anew what there is. */
  #followKind(served: Served, end: () => void): () => void {
    if (served.custom === undefined) return () => undefined
    const { catalog } = this.#options
    return catalog.onChange(() => {
      if (catalog.find(served.group, served.version, served.plural) !== served) end()
    })
  }

  async #log(
    context: RequestContext,
    info: ResourceRequest,
    response: ServerResponse,
  ): Promise<Reply | undefined> {
    if (info.verb !== 'get') throw methodNotAllowed()
    const pod = context.store.get(keyOf(context, info.name ?? ''))
    if (pod === undefined) throw notFound(context.served, info.name ?? '')
    this.#admitStream()
    const stop = new AbortController()
    const end = (): void => stop.abort()
    const log = logRequest(pod, info.query, stop.signal)
    if (log === undefined) return { code: 204, contentType: '', text: '' }
    this.#streams.add(end)
    response.on('close', end)
    // A log may go on for hours; it counts as a stream, not as a request.
    try {
      await context.place.streams(() => sendLog(this.#options.logs, log, response))
    } finally {
      this.#streams.delete(end)
    }
    return undefined
  }

  /** A connection may be open for hours; it counts as a stream, not as a request. */
  async #connect(asked: ConnectRequest, context: RequestContext): Promise<Reply | undefined> {
    this.#admitStream()
    const { clock, streams } = this.#options
    const keep = (end: () => void): (() => void) => {
      this.#streams.add(end)
      return () => this.#streams.delete(end)
    }
    const host = { clock, idleMs: STREAM_IDLE_MS, keep }
    return await context.place.streams(() => connect(asked, context, streams, host))
  }

  #admitStream(): void {
    if (this.#isClosing)
      throw new StatusError('ServiceUnavailable', 'the server is shutting down', {
        retryAfterSeconds: 1,
      })
    if (this.#streams.size >= STREAMS_MAX)
      throw tooManyRequests('too many watches and log streams are open')
  }
}

function unauthorized(): StatusError {
  return new StatusError('Unauthorized', 'Unauthorized')
}
