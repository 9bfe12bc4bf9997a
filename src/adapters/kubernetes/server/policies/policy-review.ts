import type { JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import type { Catalog, Served } from '../catalog.ts'
import type { RequestContext } from '../context.ts'
import { notFound } from '../status.ts'
import { type AdmissionFacts, admissionValue, factsOf } from '../webhooks/admission-run.ts'
import type { AuthorizerAnswers } from '../webhooks/authorizer-answers.ts'
import type { Operation } from '../webhooks/rule-match.ts'
import type { Selected } from '../webhooks/selection.ts'
import type { SeenResource } from '../webhooks/webhook-index.ts'
import { PolicyProblem, paramsOf, servedParams } from './params.ts'
import type { Policy, PolicyBinding, ValidatingPolicy } from './policy.ts'
import { type MatchedRequest, matchedVersion } from './policy-match.ts'
import { refuseDenied } from './refusal.ts'
import { type Denial, PolicyVerdicts } from './verdicts.ts'

/** What policies are asked about. */
export interface PolicyQuestion {
  readonly context: RequestContext
  readonly operation: Operation
  /** Empty for an object whose name is still to be made. */
  readonly name: string
  readonly about: Selected
  readonly answers: AuthorizerAnswers
  /** The `request` of the question that a webhook would get, in a version. */
  readonly requestIn: (seen: SeenResource) => Promise<JsonObject>
}

/** A policy with the bindings that put it in force. */
export interface BoundPolicy<P extends Policy> {
  readonly policy: P
  readonly bindings: readonly PolicyBinding[]
}

/** What expressions see of one request, by the version that they see it in. */
type KnownFacts = Map<SeenResource, AdmissionFacts>

/** What {@link MeantPolicies} works with. */
export interface MeantPoliciesOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list'>
  readonly catalog: Catalog
  readonly asked: SeenResource
  readonly others: readonly SeenResource[]
  readonly validating: readonly BoundPolicy<ValidatingPolicy>[]
}

/** The policies that may mean a request, by what it does to which resource. */
export class MeantPolicies {
  readonly #options: MeantPoliciesOptions

  constructor(options: MeantPoliciesOptions) {
    this.#options = options
  }

  /**
   * Asks the policies that may only refuse.
   *
   * @throws StatusError what the first of them refuses with.
   */
  async validate(question: PolicyQuestion): Promise<void> {
    const denials: Denial[] = []
    const known: KnownFacts = new Map()
    for (const { policy, bindings } of this.#options.validating) {
      const verdicts = new PolicyVerdicts(policy, question.context.asker)
      try {
        await this.#validateBy(policy, bindings, { ...question, known }, verdicts)
      } catch (error) {
        if (!(error instanceof PolicyProblem)) throw error
        verdicts.fail(undefined, error)
      }
      verdicts.publish()
      denials.push(...verdicts.denials)
    }
    refuseDenied(question, denials)
  }

  async #validateBy(
    policy: ValidatingPolicy,
    bindings: readonly PolicyBinding[],
    question: PolicyQuestion & { readonly known: KnownFacts },
    verdicts: PolicyVerdicts,
  ): Promise<void> {
    const request = this.#matched(question)
    const { match } = policy
    if (match === undefined)
      throw new PolicyProblem('policy contained no match constraints, a required field')
    const seen = matchedVersion(match, request, this.#options)
    if (seen === undefined) return
    const kind =
      policy.paramKind === undefined ? undefined : servedParams(this.#options, policy.paramKind)
    for (const binding of bindings) {
      if (!isBound(binding, request, this.#options)) continue
      try {
        for (const params of this.#paramsOf(kind, binding, question)) {
          const facts = await this.#factsOf(question, seen, params)
          await verdicts.add(binding, facts)
        }
      } catch (error) {
        if (!(error instanceof PolicyProblem)) throw error
        verdicts.fail(binding, error)
      }
    }
  }

  #matched({ operation, name, about }: PolicyQuestion): MatchedRequest {
    const { asked, others } = this.#options
    return { operation, name, about, asked, others }
  }

  #paramsOf(
    kind: Served | undefined,
    { paramRef }: PolicyBinding,
    { about }: PolicyQuestion,
  ): readonly (KubeObject | undefined)[] {
    return paramsOf(this.#options, kind, paramRef, about.namespace)
  }

  /** What the expressions of a policy see of a request. */
  async #factsOf(
    question: PolicyQuestion & { readonly known: KnownFacts },
    seen: SeenResource,
    params: KubeObject | undefined,
  ): Promise<AdmissionFacts> {
    let facts = question.known.get(seen)
    if (facts === undefined) {
      const found = factsOf(await question.requestIn(seen), question.answers)
      const namespaceObject = admissionValue(this.#namespaceOf(question))
      facts = { ...found, values: { ...found.values, namespaceObject } }
      question.known.set(seen, facts)
    }
    return { ...facts, values: { ...facts.values, params: admissionValue(params) } }
  }

  /** The namespace that a request is in, without what others own and control of it. */
  #namespaceOf({ about }: PolicyQuestion): JsonObject | undefined {
    if (about.resource === 'namespaces' || about.namespace === undefined) return undefined
    const found = this.#options.store.get({ resource: 'namespaces', name: about.namespace })
    if (found === undefined)
      throw notFound({ plural: 'namespaces', group: '', kind: 'Namespace' }, about.namespace)
    const { managedFields: _m, ownerReferences: _o, ...metadata } = found.metadata
    return { ...found, metadata } as unknown as JsonObject
  }
}

/** Whether a binding puts its policy in force for a request. */
function isBound(
  { match }: PolicyBinding,
  request: MatchedRequest,
  options: MeantPoliciesOptions,
): boolean {
  return match === undefined || matchedVersion(match, request, options) !== undefined
}
