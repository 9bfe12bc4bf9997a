import { createReconciler } from '../../reconciler/index.ts'
import { mapAt, textAt } from '../objects/read.ts'
import { type KubeObject, ObjectError, type ObjectKey } from '../objects/types.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

/** The finalizer that stands for the content of a namespace. */
const CONTENT_FINALIZER = 'kubernetes'

/** How soon a namespace with content left is looked at again, beside the changes that wake it at once. */
const RETRY_MS = 2_000

/**
 * Empties each namespace that is being deleted, then lets it go. It says `Terminating` meanwhile; pods
 * get their grace, and what has finalizers is waited for.
 */
export function createNamespaceController(options: ControllerOptions): Controller {
  const { store } = options
  const reconciler = createReconciler({
    ...options,
    reconcile: async (name) =>
      (await terminate(options, name)) ? undefined : { retryAfterMs: RETRY_MS },
  })
  const isEnding = (namespace: KubeObject): boolean =>
    namespace.metadata.deletionTimestamp !== undefined
  const cancels = [
    store.watch('namespaces', {}, ({ object }) => {
      if (isEnding(object)) reconciler.hint(object.metadata.name)
    }),
    ...namespaced(options).map((resource) =>
      store.watch(resource, {}, ({ object }) => {
        const name = object.metadata.namespace ?? ''
        const home = store.get({ resource: 'namespaces', name })
        if (home !== undefined && isEnding(home)) reconciler.hint(name)
      }),
    ),
  ]
  for (const namespace of store.list('namespaces').items) {
    if (isEnding(namespace)) reconciler.hint(namespace.metadata.name)
  }
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

function namespaced({ store }: ControllerOptions): readonly string[] {
  return store.resources.filter((resource) => resource.namespaced).map((resource) => resource.id)
}

/** @returns whether nothing is left to do. */
async function terminate(options: ControllerOptions, name: string): Promise<boolean> {
  const { store, logger } = options
  const key: ObjectKey = { resource: 'namespaces', name }
  const namespace = store.get(key)
  if (namespace?.metadata.deletionTimestamp === undefined) return true
  if (textAt(namespace, 'status', 'phase') !== 'Terminating') await sayTerminating(options, key)
  for (const resource of namespaced(options)) {
    for (const object of store.list(resource, name).items) {
      if (object.metadata.deletionTimestamp === undefined) await remove(options, resource, object)
    }
  }
  const remaining = namespaced(options).reduce(
    (sum, resource) => sum + store.list(resource, name).items.length,
    0,
  )
  if (remaining > 0) return false
  const waits = [...(namespace.metadata.finalizers ?? []), ...contentFinalizers(namespace)]
  if (waits.some((finalizer) => finalizer !== CONTENT_FINALIZER)) return true
  await store.remove(
    key,
    namespace.metadata.uid === undefined ? {} : { uid: namespace.metadata.uid },
  )
  logger.info('namespace removed', { namespace: name })
  return true
}

function contentFinalizers(namespace: KubeObject): readonly string[] {
  const finalizers = mapAt(namespace, 'spec')?.['finalizers']
  return Array.isArray(finalizers) ? finalizers.map(String) : []
}

async function sayTerminating({ store }: ControllerOptions, key: ObjectKey): Promise<void> {
  await store.update(
    key,
    (current) => ({ ...current, status: { ...mapAt(current, 'status'), phase: 'Terminating' } }),
    { part: 'observed', author: 'namespace-controller' },
  )
}

async function remove(
  { store }: ControllerOptions,
  resource: string,
  object: KubeObject,
): Promise<void> {
  const { name, namespace, uid } = object.metadata
  try {
    await store.delete({ resource, namespace, name }, { uid, author: 'namespace-controller' })
  } catch (error) {
    // Gone or replaced meanwhile: the next pass sees what is there now.
    if (
      !(
        error instanceof ObjectError &&
        (error.reason === 'NotFound' || error.reason === 'Conflict')
      )
    )
      throw error
  }
}
