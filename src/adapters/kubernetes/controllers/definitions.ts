import { createReconciler } from '../../reconciler/index.ts'
import { DEFINITION_FINALIZER, DEFINITIONS } from '../objects/custom-resources.ts'
import { textAt } from '../objects/read.ts'
import { type KubeObject, ObjectError, type ObjectKey } from '../objects/types.ts'
import { withStatus, withTermination } from './definition-status.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

const AUTHOR = 'definition-controller'

/** How soon a definition with objects left is looked at again. */
const RETRY_MS = 1_000

/**
 * Establishes the kinds that definitions (CustomResourceDefinition) define: accepts their names where
 * nobody else has them, and empties a kind whose definition is being deleted before it lets that go.
 * One replica of a fleet runs it: the one whose writes to definitions count.
 */
export function createDefinitionController(options: ControllerOptions): Controller {
  const { store } = options
  const reconciler = createReconciler({
    ...options,
    // One at a time: names that one was given are taken for the next.
    parallelMax: 1,
    reconcile: async (name) => {
      const key: ObjectKey = { resource: DEFINITIONS, name }
      const definition = store.get(key)
      if (definition === undefined) return undefined
      const isDone = await tolerant(() =>
        definition.metadata.deletionTimestamp === undefined
          ? establish(options, key)
          : terminate(options, key),
      )
      return isDone ? undefined : { retryAfterMs: RETRY_MS }
    },
  })
  const hintGroup = (definition: KubeObject): void => {
    const group = textAt(definition, 'spec', 'group')
    for (const other of store.list(DEFINITIONS).items) {
      if (textAt(other, 'spec', 'group') === group) reconciler.hint(other.metadata.name)
    }
  }
  // Names that one gives back are free for others of its group.
  const cancel = store.watch(DEFINITIONS, {}, ({ object }) => {
    reconciler.hint(object.metadata.name)
    hintGroup(object)
  })
  for (const definition of store.list(DEFINITIONS).items) reconciler.hint(definition.metadata.name)
  return {
    close: async () => {
      cancel()
      await reconciler.close()
    },
  }
}

/** @returns whether nothing is left to do. */
async function establish({ store, clock }: ControllerOptions, key: ObjectKey): Promise<boolean> {
  const definition = store.get(key)
  if (definition === undefined) return true
  const group = textAt(definition, 'spec', 'group')
  const others = store
    .list(DEFINITIONS)
    .items.filter(
      (other) => other.metadata.name !== key.name && textAt(other, 'spec', 'group') === group,
    )
  if (withStatus(definition, others, clock.wallMs()) === definition) return true
  await store.update(key, (current) => withStatus(current, others, clock.wallMs()), {
    part: 'observed',
    author: AUTHOR,
  })
  return true
}

/** Deletes the objects of a kind, then lets its definition go. Returns whether it is gone. */
async function terminate(options: ControllerOptions, key: ObjectKey): Promise<boolean> {
  const { store, clock, logger } = options
  const definition = store.get(key)
  if (definition === undefined) return true
  const finalizers = definition.metadata.finalizers ?? []
  if (!finalizers.includes(DEFINITION_FINALIZER)) return true
  const { items } = store.list(key.name)
  await say(options, key, 'InstanceDeletionInProgress', 'CustomResource deletion is in progress')
  for (const object of items) {
    const { name, namespace, uid } = object.metadata
    if (object.metadata.deletionTimestamp !== undefined) continue
    await tolerant(async () => {
      await store.delete({ resource: key.name, namespace, name }, { uid, author: AUTHOR })
      return true
    })
  }
  if (store.list(key.name).items.length > 0) return false
  const done = (current: KubeObject): KubeObject =>
    withTermination(
      current,
      'False',
      'InstanceDeletionCompleted',
      'removed all instances',
      clock.wallMs(),
    )
  await store.update(key, done, { part: 'observed', author: AUTHOR })
  const release = (current: KubeObject): KubeObject => {
    const left = (current.metadata.finalizers ?? []).filter((item) => item !== DEFINITION_FINALIZER)
    return { ...current, metadata: { ...current.metadata, finalizers: left } }
  }
  await store.update(key, release, { part: 'desired', author: AUTHOR })
  logger.info('a custom kind is gone', { kind: key.name })
  return true
}

async function say(
  { store, clock }: ControllerOptions,
  key: ObjectKey,
  reason: string,
  message: string,
): Promise<void> {
  const recipe = (current: KubeObject): KubeObject =>
    withTermination(current, 'True', reason, message, clock.wallMs())
  await store.update(key, recipe, { part: 'observed', author: AUTHOR })
}

/** What is gone or was made anew meanwhile is looked at again when its change is seen. */
async function tolerant(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ObjectError && /^(NotFound|Conflict)$/.test(error.reason)) return true
    throw error
  }
}
