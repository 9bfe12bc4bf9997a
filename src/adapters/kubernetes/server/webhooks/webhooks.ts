import type { Logger } from '../../../../core/interfaces/logger.ts'
import type { PodStreams } from '../../objects/pod-streams.ts'
import type { ObjectStore } from '../../objects/types.ts'
import type { Catalog } from '../catalog.ts'
import type { RequestContext } from '../context.ts'
import { Review, type ReviewHost } from './review.ts'
import type { Operation } from './rule-match.ts'
import { dialService } from './service-dial.ts'
import { createWebhookCaller } from './webhook-call.ts'
import { followWebhooks } from './webhook-index.ts'

/** The admission webhooks of a server. */
export interface Webhooks {
  /**
   * How to ask those that want to know of an operation; undefined, at the cost of a comparison, where
   * there are none.
   *
   * @param subresource empty for the whole object.
   */
  reviewOf(context: RequestContext, operation: Operation, subresource?: string): Review | undefined
  /** Stops following configurations, and ends every connection. */
  close(): void
}

/** What {@link createWebhooks} works with. */
export interface WebhooksOptions {
  readonly store: ObjectStore
  readonly catalog: Catalog
  /** The way into pods, where services of webhooks lead. */
  readonly streams?: PodStreams | undefined
  readonly logger: Logger
}

/** Nobody is asked. */
export const NO_WEBHOOKS: Pick<Webhooks, 'reviewOf'> = { reviewOf: () => undefined }

/** The admission webhooks that the configurations in a store name. */
export function createWebhooks({ store, catalog, streams, logger }: WebhooksOptions): Webhooks {
  const index = followWebhooks(store, catalog)
  const caller = createWebhookCaller((service) => dialService(service, store, streams))
  const host: ReviewHost = {
    caller,
    ignored: (webhook, why) => {
      logger.warn('a webhook could not be asked, and the request went on', { webhook, why })
    },
  }
  return {
    reviewOf: (context, operation, subresource = '') => {
      const meant = index.find(context.served, subresource, operation)
      if (meant === undefined) return undefined
      return new Review(context, meant, operation, subresource, host)
    },
    close: () => {
      index.close()
      caller.close()
    },
  }
}
