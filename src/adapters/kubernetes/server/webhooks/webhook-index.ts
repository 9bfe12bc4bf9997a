import type { ObjectStore } from '../../objects/types.ts'
import type { Catalog, Served } from '../catalog.ts'
import { followObjects } from './followed-objects.ts'
import { type AskedResource, meantVersion, type Operation } from './rule-match.ts'
import { type Webhook, webhooksOf } from './webhook.ts'

/** A webhook that is told of a request, and the version in which it sees the object. */
export interface MeantWebhook {
  readonly webhook: Webhook
  readonly seen: SeenResource
}

/** A resource as a webhook sees it. */
export interface SeenResource extends AskedResource {
  readonly served: Served
}

/** The webhooks that are told of one operation on one resource, in the order of their names. */
export interface MeantWebhooks {
  readonly mutating: readonly MeantWebhook[]
  readonly validating: readonly MeantWebhook[]
}

/** Which webhooks there are, for whom. */
export interface WebhookIndex {
  /** Undefined where no webhook is told: a lookup, and no more than a comparison where there are none at all. */
  find(served: Served, subresource: string, operation: Operation): MeantWebhooks | undefined
  /** Stops following the configurations. */
  close(): void
}

const GROUP = 'admissionregistration.k8s.io'
const MUTATING = `mutatingwebhookconfigurations.${GROUP}`
const VALIDATING = `validatingwebhookconfigurations.${GROUP}`

/** How many answers are remembered; there are fewer resources with webhooks than that. */
const FOUND_MAX = 4_096

/** Follows the configurations in a store. What webhooks there are is known without asking the store again. */
export function followWebhooks(
  store: Pick<ObjectStore, 'list' | 'watch' | 'resource'>,
  catalog: Catalog,
): WebhookIndex {
  const found = new Map<string, MeantWebhooks | undefined>()
  const forget = (): void => found.clear()
  const mutating = followObjects(store, MUTATING, webhooksOf, forget)
  const validating = followObjects(store, VALIDATING, webhooksOf, forget)
  // The versions of a kind that say the same may be others then.
  const unfollow = catalog.onChange(forget)
  return {
    find: (served, subresource, operation) => {
      if (mutating.all().length === 0 && validating.all().length === 0) return undefined
      // Nobody could repair a configuration whose webhook refuses that.
      if (served.group === GROUP) return undefined
      const key = `${served.group}/${served.version}/${served.plural}/${subresource} ${operation}`
      if (found.has(key)) return found.get(key)
      const asked = seenResource(served, subresource)
      const others = equivalentsOf(catalog, served, subresource)
      const meant = (webhooks: readonly Webhook[]): readonly MeantWebhook[] =>
        webhooks.flatMap((webhook) => {
          const version = meantVersion(webhook, operation, asked, others)
          return version === undefined ? [] : [{ webhook, seen: version }]
        })
      const result = { mutating: meant(mutating.all()), validating: meant(validating.all()) }
      const isNone = result.mutating.length === 0 && result.validating.length === 0
      if (found.size >= FOUND_MAX) found.clear()
      found.set(key, isNone ? undefined : result)
      return found.get(key)
    },
    close: () => {
      unfollow()
      mutating.close()
      validating.close()
    },
  }
}

/** The other versions in which a resource is served, as webhooks and policies see them. */
export function equivalentsOf(
  catalog: Catalog,
  served: Served,
  subresource: string,
): readonly SeenResource[] {
  return catalog.all
    .filter((other) => other !== served && isSame(other, served))
    .map((other) => seenResource(other, subresource))
}

function isSame(a: Served, b: Served): boolean {
  return a.resource !== undefined && a.resource.id === b.resource?.id
}

/** A resource as webhooks and policies see it. */
export function seenResource(served: Served, subresource: string): SeenResource {
  const { group, version, plural, namespaced } = served
  return { served, group, version, plural, namespaced, subresource }
}
