import type { Logger } from '../../../../core/interfaces/logger.ts'
import type { PodStreams } from '../../objects/pod-streams.ts'
import type { ObjectStore } from '../../objects/types.ts'
import type { Authorize } from '../authorization.ts'
import { apiVersionOf, type Catalog, type Served } from '../catalog.ts'
import type { RequestContext } from '../context.ts'
import { followPolicies } from '../policies/policy-index.ts'
import { ConvertedRows } from './converted-rows.ts'
import { type Converted, convertedStore } from './converted-store.ts'
import { createConverter } from './converter.ts'
import { Review, type ReviewHost } from './review.ts'
import type { Operation } from './rule-match.ts'
import { dialService } from './service-dial.ts'
import { createWebhookCaller } from './webhook-call.ts'
import { followWebhooks } from './webhook-index.ts'

/** What looks at the writes of a server, webhooks and policies; and the webhooks that convert objects. */
export interface Webhooks {
  /**
   * How to ask those that want to know of an operation, webhooks and policies; undefined, at the cost of
   * a comparison, where there are none.
   *
   * @param subresource empty for the whole object.
   */
  reviewOf(context: RequestContext, operation: Operation, subresource?: string): Review | undefined
  /**
   * What a request sees of a kind whose objects a webhook has to convert for it; undefined where none has to.
   *
   * @param verb of the request: who writes in the version of the kind takes fields from those who own them in others.
   * @param refusesConflicts whether it may not.
   */
  convertedOf(
    served: Served,
    store: ObjectStore,
    verb: string,
    refusesConflicts: boolean,
  ): Converted | undefined
  /** Stops following configurations, and ends every connection. */
  close(): void
}

/** What {@link createWebhooks} works with. */
export interface WebhooksOptions {
  readonly store: ObjectStore
  readonly catalog: Catalog
  /** Says what users may, where expressions ask. Default: everything is allowed. */
  readonly authorize?: Authorize | undefined
  /** The way into pods, where services of webhooks lead. */
  readonly streams?: PodStreams | undefined
  readonly logger: Logger
}

/** Nobody is asked. */
export const NO_WEBHOOKS: Pick<Webhooks, 'reviewOf'> = { reviewOf: () => undefined }

/** The webhooks that the configurations and definitions in a store name. */
export function createWebhooks({
  store,
  catalog,
  authorize,
  streams,
  logger,
}: WebhooksOptions): Webhooks {
  const index = followWebhooks(store, catalog)
  const policyIndex = followPolicies(store, catalog)
  const caller = createWebhookCaller((service) => dialService(service, store, streams))
  const converter = createConverter(caller)
  const rows = new WeakMap<Served, ConvertedRows>()
  const host: ReviewHost = {
    authorize,
    caller,
    converter,
    ignored: (webhook, why) => {
      logger.warn('a webhook could not be asked, and the request went on', { webhook, why })
    },
  }
  return {
    reviewOf: (context, operation, subresource = '') => {
      const webhooks = index.find(context.served, subresource, operation)
      const policies = policyIndex.find(context.served, subresource, operation)
      if (webhooks === undefined && policies === undefined) return undefined
      const meant = { mutating: [], validating: [], ...webhooks, policies }
      return new Review(context, meant, operation, subresource, host)
    },
    convertedOf: (served, store, verb, refusesConflicts) => {
      const { webhook } = served.custom ?? {}
      if (webhook === undefined) return undefined
      const isPlain = apiVersionOf(served) === webhook.storage && !webhook.hasOlder()
      if (isPlain && verb !== 'update' && verb !== 'patch') return undefined
      const shared = rows.get(served) ?? new ConvertedRows(webhook, served, converter)
      rows.set(served, shared)
      return convertedStore({
        store,
        served,
        webhook,
        converter,
        rows: shared,
        refusesConflicts,
      })
    },
    close: () => {
      index.close()
      policyIndex.close()
      caller.close()
    },
  }
}
