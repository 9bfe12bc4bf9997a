import type { KubeObject, ObjectKey, ObjectRow, ObjectStore } from '../../objects/types.ts'
import { apiVersionOf, type Served } from '../catalog.ts'
import { type ConversionWebhook, readKept } from '../custom/conversion-webhook.ts'
import { modified } from '../status.ts'
import { overlaid } from '../store-overlay.ts'
import type { ConvertedRows } from './converted-rows.ts'
import type { Converter } from './converter.ts'
import { withOtherOwners } from './other-owners.ts'

/** How often a write is made anew because the object changed while a webhook converted it. */
const ATTEMPTS_MAX = 5

/** What one request sees of a kind whose objects a webhook converts. */
export interface Converted {
  /** A store of objects in the version of the request. What it lists and watches is as it is kept. */
  readonly store: ObjectStore
  /** Makes an object ready to be looked at. */
  prepare(key: ObjectKey): Promise<void>
  /**
   * What would be shown of an object after a write that is only tried.
   *
   * @param before undefined where it is new.
   */
  tried(before: KubeObject | undefined, after: KubeObject): Promise<KubeObject>
  /** Rows in the version of the request. */
  rows(rows: readonly ObjectRow[]): Promise<readonly ObjectRow[]>
}

/** What {@link convertedStore} works with. */
export interface ConvertedSource {
  readonly store: ObjectStore
  readonly served: Served
  readonly webhook: ConversionWebhook
  readonly converter: Converter
  readonly rows: ConvertedRows
  /** Whether the request may not take fields from those who own them: it applies, and without force. */
  readonly refusesConflicts: boolean
}

/**
 * A store that shows objects in the version of a request, and keeps what is written in the version of the
 * kind. An object is shown as it was when it was last converted, while it is the same one.
 */
export function convertedStore(source: ConvertedSource): Converted {
  const { store, served, webhook, converter } = source
  const apiVersion = apiVersionOf(served)
  const ready = new Map<string, KubeObject>()
  const one = async (object: KubeObject, version: string): Promise<KubeObject> =>
    (await converter.convert(webhook, [object], version))[0] ?? object
  const show = async (key: ObjectKey, kept: KubeObject): Promise<KubeObject> => {
    const shown = await one(readKept(webhook, kept), apiVersion)
    ready.set(nameOf(key), shown)
    return shown
  }
  const get = (key: ObjectKey): KubeObject | undefined => {
    const kept = store.get(key)
    const shown = ready.get(nameOf(key))
    return kept?.metadata.uid === shown?.metadata.uid ? shown : kept
  }
  const update: ObjectStore['update'] = async (key, recipe, options) => {
    for (let attempt = 1; ; attempt++) {
      const kept = store.get(key)
      if (kept === undefined) return await store.update(key, recipe, options)
      const shown = await show(key, kept)
      const wanted = recipe(shown)
      // What is kept in an older version is written again, also where nothing else changes.
      if (wanted === shown && kept.apiVersion === webhook.storage) return shown
      const next = await one(await withOtherOwners(source, shown, wanted), webhook.storage)
      let isRace = false
      try {
        const written = await store.update(
          key,
          (found) => {
            isRace = found.metadata.resourceVersion !== kept.metadata.resourceVersion
            if (isRace) throw modified(served, key.name)
            return next
          },
          options,
        )
        return await show(key, written)
      } catch (error) {
        if (!isRace || attempt >= ATTEMPTS_MAX) throw error
      }
    }
  }
  const own: Partial<ObjectStore> = {
    get,
    // Whoever asks for text is given none.
    row: () => undefined,
    update,
    create: async (object, options) => {
      const created = await store.create(await one(object, webhook.storage), options)
      return await show(keyOf(served, created), created)
    },
    delete: async (key, options) => {
      const last = await store.delete(key, options)
      return store.get(key) === undefined ? last : await show(key, last)
    },
  }
  return {
    store: overlaid(store, own),
    prepare: async (key) => {
      const kept = store.get(key)
      if (kept !== undefined) await show(key, kept)
    },
    tried: async (before, after) => {
      const owned = before === undefined ? after : await withOtherOwners(source, before, after)
      return await one(await one(owned, webhook.storage), apiVersion)
    },
    rows: (rows) => source.rows.convert(rows),
  }
}

function keyOf({ resource }: Served, { metadata }: KubeObject): ObjectKey {
  return { resource: resource?.id ?? '', namespace: metadata.namespace, name: metadata.name }
}

function nameOf({ namespace, name }: ObjectKey): string {
  return `${namespace ?? ''}/${name}`
}
