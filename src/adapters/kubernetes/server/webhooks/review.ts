import { randomUUID } from 'node:crypto'
import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import type { Authorize } from '../authorization.ts'
import { apiVersionOf, type Served } from '../catalog.ts'
import type { RequestContext } from '../context.ts'
import { sameJson } from '../json.ts'
import type { MeantPolicies, PolicyQuestion } from '../policies/policy-review.ts'
import { badRequest, forbidden, StatusError } from '../status.ts'
import {
  type ReviewAnswer,
  type ReviewSubject,
  type ReviewVersion,
  readAnswer,
  reviewBody,
  reviewRequest,
} from './admission-review.ts'
import { AdmissionRun, CONDITIONS_STEPS_MAX, factsOf } from './admission-run.ts'
import { AuthorizerAnswers } from './authorizer-answers.ts'
import type { Converter } from './converter.ts'
import { patchedJson, patchedObject } from './patched-object.ts'
import type { Operation } from './rule-match.ts'
import { conditionsHold, isSelected, type Selected } from './selection.ts'
import type { Webhook } from './webhook.ts'
import type { WebhookCaller } from './webhook-call.ts'
import { CallError, callFailure, refusalOf } from './webhook-errors.ts'
import type { MeantWebhook, MeantWebhooks, SeenResource } from './webhook-index.ts'

/** All the questions about one request together take no longer than this. */
const REVIEW_MS_MAX = 60_000

/** A write that webhooks look at. */
export interface ReviewedWrite {
  readonly name: string
  /** As it is kept, or what the request is about where that is no object: an Eviction, a Scale. */
  readonly object: KubeObject | JsonObject | undefined
  /** As it is kept. */
  readonly old: KubeObject | JsonObject | undefined
  readonly options: JsonObject
}

/** Who looks at a request. */
export interface Meant extends MeantWebhooks {
  /** Undefined where no policy means it. */
  readonly policies: MeantPolicies | undefined
}

/** What a review needs of its server. */
export interface ReviewHost {
  /** Says what users may, where conditions and policies ask. */
  readonly authorize: Authorize | undefined
  readonly caller: WebhookCaller
  /** Shows webhooks the objects of custom kinds in the version that they know. */
  readonly converter: Converter
  /** Told of a webhook that could not be asked and whose policy is to go on. */
  readonly ignored: (webhook: string, why: string) => void
}

/** Asks the webhooks that are meant by one request. */
export class Review {
  readonly #context: RequestContext
  readonly #meant: Meant
  readonly #operation: Operation
  readonly #subresource: string
  readonly #host: ReviewHost
  readonly #answers: AuthorizerAnswers
  readonly #endMs: number

  constructor(
    context: RequestContext,
    meant: Meant,
    operation: Operation,
    subresource: string,
    host: ReviewHost,
  ) {
    this.#context = context
    this.#meant = meant
    this.#operation = operation
    this.#subresource = subresource
    this.#host = host
    this.#answers = new AuthorizerAnswers(host.authorize, context.asker.user)
    this.#endMs = context.clock.monotonicMs() + REVIEW_MS_MAX
  }

  /**
   * Asks the webhooks that may change the object, one after the other, and those once more that want to see
   * what others changed after them.
   *
   * @returns the object as they leave it.
   * @throws StatusError what a webhook refuses with; 500 when one that is needed does not answer as it should.
   */
  async mutate<T extends KubeObject | JsonObject | undefined>(
    write: ReviewedWrite & { readonly object: T },
  ): Promise<T> {
    let { object } = write
    let isChanged = false
    let asked: Webhook[] = []
    const again = new Set<Webhook>()
    for (const round of [0, 1]) {
      if (round === 1 && !isChanged) break
      for (const [index, meant] of this.#meant.mutating.entries()) {
        if (round === 1 && !again.has(meant.webhook)) continue
        const current = { ...write, object }
        const request = await this.#requestTo(meant, current)
        if (request === undefined) continue
        const place = `round_${round}_index_${index}`
        const changed = await this.#mutateBy(meant, current, request, place)
        if (changed !== undefined) {
          object = changed as T
          isChanged = true
          for (const earlier of asked) again.add(earlier)
          asked = []
        }
        if (meant.webhook.isReinvoked) asked.push(meant.webhook)
      }
    }
    return object
  }

  /**
   * Asks the policies that may only refuse, and then the webhooks that may, all at once.
   *
   * @throws StatusError what the first of them refuses with; 500 when one that is needed does not answer.
   */
  async validate(write: ReviewedWrite): Promise<void> {
    if (this.#meant.policies !== undefined) await this.#meant.policies.validate(this.#asked(write))
    const questions: { readonly meant: MeantWebhook; readonly request: JsonObject }[] = []
    for (const meant of this.#meant.validating) {
      const request = await this.#requestTo(meant, write)
      if (request !== undefined) questions.push({ meant, request })
    }
    const answers = await Promise.allSettled(
      questions.map(async ({ meant, request }, index) => {
        const place = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`
        await this.#ask(meant.webhook, request, false, place)
      }),
    )
    const refused = answers.find((answer) => answer.status === 'rejected')
    if (refused !== undefined) throw refused.reason
  }

  /** The question to a webhook; undefined where it is not to be asked. */
  async #requestTo(
    { webhook, seen }: MeantWebhook,
    write: ReviewedWrite,
  ): Promise<JsonObject | undefined> {
    const { store, served } = this.#context
    if (!isSelected(webhook, this.#selected(write), store)) return undefined
    const request = await this.#question(seen, write)
    const { conditions, ignoresFailure } = webhook
    if (conditions.length === 0) return request
    const run = new AdmissionRun(factsOf(request, this.#answers), CONDITIONS_STEPS_MAX)
    const condition = await conditionsHold(conditions, ignoresFailure, run)
    if (typeof condition === 'boolean') return condition ? request : undefined
    throw forbidden(served, write.name, condition.problem)
  }

  /** What policies are asked about a write. */
  #asked(write: ReviewedWrite): PolicyQuestion {
    return {
      context: this.#context,
      operation: this.#operation,
      name: write.name,
      about: this.#selected(write),
      answers: this.#answers,
      requestIn: (seen) => this.#question(seen, write),
    }
  }

  #selected({ name, object, old }: ReviewedWrite): Selected {
    const { resource, namespace } = this.#context
    return {
      resource: resource.id,
      namespace: resource.id === 'namespaces' ? name : namespace,
      subresource: this.#subresource,
      isDeletion: this.#operation === 'DELETE',
      object,
      old,
    }
  }

  /** The `request` of a question about a write, in a version. */
  async #question(seen: SeenResource, write: ReviewedWrite): Promise<JsonObject> {
    const { namespace } = this.#selected(write)
    const asked = this.#versionOf(this.#context.served)
    const subject: ReviewSubject = {
      operation: this.#operation,
      user: this.#context.asker.user,
      name: write.name,
      namespace: namespace === '' ? undefined : namespace,
      dryRun: this.#context.options.dryRun || this.#isDryDeletion(write),
      options: write.options,
      object: await this.#seenAs(seen, write.object),
      old: await this.#seenAs(seen, write.old),
    }
    return reviewRequest(randomUUID(), subject, this.#versionOf(seen.served), asked)
  }

  #isDryDeletion({ options }: ReviewedWrite): boolean {
    return Array.isArray(options['dryRun']) && options['dryRun'].length > 0
  }

  #versionOf({
    group,
    version,
    plural,
    kind,
    subresources,
  }: SeenResource['served']): ReviewVersion {
    const part = subresources.find(({ name }) => name === this.#subresource)
    return {
      kind: {
        group: part?.group ?? group,
        version: part?.version ?? version,
        kind: part?.kind ?? kind,
      },
      resource: { group, version, resource: plural },
      subresource: this.#subresource,
    }
  }

  /** Whether what the request is about is an object of the resource, not something beside it. */
  #isOfKind(object: JsonObject): boolean {
    return object['kind'] === this.#context.resource.kind
  }

  async #seenAs(
    { served }: SeenResource,
    object: JsonObject | undefined,
  ): Promise<JsonObject | undefined> {
    if (object === undefined || !this.#isOfKind(object)) return object
    const found = await this.#inVersion(served, object as KubeObject)
    return served.conversion?.fromKept(found) ?? found
  }

  /** An object in a version, where a webhook has to convert it for that. */
  async #inVersion(served: Served, object: KubeObject): Promise<KubeObject> {
    const { webhook } = served.custom ?? {}
    if (webhook === undefined) return object
    const version = apiVersionOf(served)
    const { converter } = this.#host
    const [found] = await this.#context.place.waits(() =>
      converter.convert(webhook, [object], version),
    )
    return found ?? object
  }

  async #mutateBy(
    { webhook, seen }: MeantWebhook,
    write: ReviewedWrite,
    request: JsonObject,
    place: string,
  ): Promise<JsonObject | undefined> {
    const failedOpen = `failed-open.mutation.webhook.admission.k8s.io/${place}`
    let changed: JsonObject | undefined
    try {
      const answer = await this.#ask(webhook, request, true, failedOpen)
      if (answer?.patch !== undefined)
        changed = await this.#patched(webhook, seen, write, answer.patch)
    } finally {
      const { configuration, name } = webhook
      const told = { configuration, webhook: name, mutated: changed !== undefined }
      this.#annotate(`mutation.webhook.admission.k8s.io/${place}`, JSON.stringify(told))
    }
    return changed
  }

  /** What a patch leaves of the object, as it is kept; undefined where that is what it was. */
  async #patched(
    { name }: Webhook,
    seen: SeenResource,
    write: ReviewedWrite,
    patch: Json,
  ): Promise<JsonObject | undefined> {
    const { object } = write
    const shown = await this.#seenAs(seen, object)
    if (object === undefined || shown === undefined) {
      const text = `admission webhook ${JSON.stringify(name)} attempted to modify the object, which is not supported for this operation`
      throw new StatusError('InternalError', `Internal error occurred: ${text}`, {
        causes: [{ message: text }],
      })
    }
    const after = this.#isOfKind(object)
      ? await this.#inVersion(this.#context.served, patchedObject(name, seen.served, shown, patch))
      : patchedJson(name, shown, patch)
    return sameJson(after, object) ? undefined : after
  }

  /** Asks one webhook. @returns undefined where it gave no answer, and that is none needed. */
  async #ask(
    webhook: Webhook,
    request: JsonObject,
    isMutating: boolean,
    failedOpen: string,
  ): Promise<ReviewAnswer | undefined> {
    const { name, takesDryRun } = webhook
    if (request['dryRun'] === true && !takesDryRun)
      throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
    let answer: ReviewAnswer
    try {
      answer = await this.#call(webhook, request, isMutating)
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      if (!webhook.ignoresFailure) throw callFailure(name, error)
      this.#annotate(failedOpen, name)
      this.#host.ignored(name, error.message)
      return undefined
    }
    for (const [key, value] of Object.entries(answer.annotations))
      this.#annotate(`${name}/${key}`, value)
    this.#context.asker.warn(answer.warnings)
    if (!answer.allowed) throw refusalOf(name, answer.result)
    return answer
  }

  async #call(webhook: Webhook, request: JsonObject, isMutating: boolean): Promise<ReviewAnswer> {
    const { address, reviewVersion } = webhook
    if (reviewVersion === undefined)
      throw new CallError(
        'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
      )
    const leftMs = this.#endMs - this.#context.clock.monotonicMs()
    if (leftMs <= 0)
      throw new StatusError('Timeout', 'request did not complete within requested timeout')
    const timeoutMs = Math.min(webhook.timeoutMs, leftMs)
    const body = reviewBody(reviewVersion, request)
    const { caller } = this.#host
    const bytes = await this.#context.place.waits(() => caller.call(address, body, timeoutMs))
    return readAnswer(bytes, String(request['uid']), reviewVersion, isMutating)
  }

  #annotate(key: string, value: string): void {
    this.#context.asker.annotate(key, value)
  }
}
