import type { Webhook, WebhookRule } from './webhook.ts'

/** What a request does to which resource, in one of the versions of it. */
export interface AskedResource {
  readonly group: string
  readonly version: string
  readonly plural: string
  /** Empty for the whole object. */
  readonly subresource: string
  readonly namespaced: boolean
}

/** What a request does, in the words of AdmissionReview. */
export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

const takes = (list: readonly string[], value: string): boolean =>
  list.includes('*') || list.includes(value)

/** Whether a rule means an operation on a resource, in just this version of it. */
export function ruleMeans(
  rule: WebhookRule,
  operation: Operation,
  { group, version, plural, subresource, namespaced }: AskedResource,
): boolean {
  return (
    takes(rule.operations, operation) &&
    takes(rule.groups, group) &&
    takes(rule.versions, version) &&
    rule.resources.some((text) => namesResource(text, plural, subresource)) &&
    (rule.scope === '*' || (rule.scope === 'Namespaced') === namespaced)
  )
}

/** `pods`, `pods/status`, `pods/*`, `*`, or any part of anything. */
function namesResource(text: string, plural: string, subresource: string): boolean {
  const slash = text.indexOf('/')
  const resource = slash < 0 ? text : text.slice(0, slash)
  const part = slash < 0 ? '' : text.slice(slash + 1)
  return (resource === '*' || resource === plural) && (part === '*' || part === subresource)
}

/**
 * The version of a resource in which a webhook or a policy wants to see a request: that of the request, or one that
 * says the same where the webhook takes that too. Undefined when it is not meant.
 *
 * @param equivalents the same resource in its other versions.
 */
export function meantVersion<R extends AskedResource>(
  webhook: Pick<Webhook, 'rules' | 'isExact'>,
  operation: Operation,
  asked: R,
  equivalents: readonly R[],
): R | undefined {
  if (webhook.rules.some((rule) => ruleMeans(rule, operation, asked))) return asked
  if (webhook.isExact) return undefined
  for (const rule of webhook.rules) {
    const found = equivalents.find((other) => ruleMeans(rule, operation, other))
    if (found !== undefined) return found
  }
  return undefined
}
