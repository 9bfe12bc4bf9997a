import type { JsonObject } from '../../objects/types.ts'
import { isObject, listAt, textAt } from '../json.ts'
import {
  type Cause,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../kinds/checks.ts'
import { checkUrl, checkWebhookService } from '../kinds/client-config-checks.ts'
import { nameProblems } from '../kinds/names.ts'

const PATH = 'spec.conversion'
const REVIEWS = ['v1', 'v1beta1']

/** What is wrong with how a definition wants its versions converted. */
export function checkConversion(conversion: JsonObject): readonly Cause[] {
  const strategy = textAt(conversion, 'strategy')
  const webhook = isObject(conversion['webhook']) ? conversion['webhook'] : undefined
  const client = webhook?.['clientConfig']
  const reviews = listAt(webhook, 'conversionReviewVersions').map(String)
  const config = `${PATH}.webhookClientConfig`
  const causes: Cause[] = []
  if (strategy === '') causes.push(required(`${PATH}.strategy`))
  else if (strategy !== 'None' && strategy !== 'Webhook')
    causes.push(notSupported(`${PATH}.strategy`, strategy, ['None', 'Webhook']))
  if (strategy !== 'Webhook') {
    const text = 'should not be set when strategy is not set to Webhook'
    if (client !== undefined) causes.push(forbiddenField(config, text))
    if (reviews.length > 0) causes.push(forbiddenField(`${PATH}.conversionReviewVersions`, text))
    return causes
  }
  if (!isObject(client)) causes.push(required(config, 'required when strategy is set to Webhook'))
  else causes.push(...clientCauses(config, client))
  return [...causes, ...reviewCauses(reviews)]
}

function clientCauses(path: string, { url, service }: JsonObject): readonly Cause[] {
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')]
  return url === undefined
    ? checkWebhookService(`${path}.service`, service)
    : checkUrl(`${path}.url`, String(url))
}

function reviewCauses(reviews: readonly string[]): readonly Cause[] {
  const path = `${PATH}.conversionReviewVersions`
  if (reviews.length === 0) return [required(path)]
  const causes = reviews.flatMap((version, index) => {
    const field = `${path}[${index}]`
    if (reviews.indexOf(version) < index) return [invalidValue(field, version, 'duplicate version')]
    return nameProblems(version, 'dns1035').map((text) => invalidValue(field, version, text))
  })
  const isKnown = reviews.some((version) => REVIEWS.includes(version))
  const text = `must include at least one of ${REVIEWS.join(', ')}`
  return isKnown ? causes : [...causes, invalidValue(path, reviews, text)]
}
