import type { Logger } from '../../../core/interfaces/logger.ts'
import type {
  JsonObject,
  KubeObject,
  ObjectKey,
  ObjectStore,
} from '../../kubernetes/objects/types.ts'
import { ObjectError } from '../../kubernetes/objects/types.ts'
import { asObject, asText, sameJson } from '../json.ts'
import { isMirror, isMirrorOf, mirrorOf } from './static-pod.ts'

/** What {@link Mirrors} needs. */
export interface MirrorsOptions {
  readonly store: ObjectStore
  readonly node: string
  readonly logger: Logger
  /** The static pod at a key, with its status. */
  readonly podAt: (key: ObjectKey) => KubeObject | undefined
}

/** Sees to it that each static pod of a node is shown in the API, and no pod that is not there. */
export class Mirrors {
  readonly #options: MirrorsOptions
  /** What is under way for each key, one after the other. */
  readonly #turns = new Map<string, Promise<void>>()
  #isClosed = false

  constructor(options: MirrorsOptions) {
    this.#options = options
  }

  /** The keys of all mirrors of this node. */
  here(): readonly ObjectKey[] {
    const { store, node } = this.#options
    return store
      .list('pods')
      .items.filter((pod) => isMirror(pod) && asText(asObject(pod['spec'])['nodeName']) === node)
      .map(({ metadata: { namespace, name } }) => ({ resource: 'pods', namespace, name }))
  }

  /** Makes, replaces or removes what shows the static pod at a key, in the background. */
  look(key: ObjectKey): void {
    void this.#inTurn(key, () => this.#look(key))
  }

  /** Writes the status of a static pod to what shows it. */
  async tell(key: ObjectKey, status: JsonObject): Promise<void> {
    await this.#inTurn(key, () => this.#tell(key, status))
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#turns.values())
  }

  async #look(key: ObjectKey): Promise<void> {
    const { store, node, logger, podAt } = this.#options
    const pod = podAt(key)
    const shown = store.get(key)
    if (shown !== undefined && !isMirror(shown)) {
      if (pod !== undefined)
        logger.warn('another pod has the name of a static one', { pod: key.name })
      return
    }
    const isGoing = shown?.metadata.deletionTimestamp !== undefined
    const isRight = shown !== undefined && pod !== undefined && isMirrorOf(shown, pod) && !isGoing
    // What could not be written when it changed is written at the next look.
    if (isRight) return await this.#tell(key, asObject(pod['status']))
    if (shown !== undefined) {
      const isOfNode = asText(asObject(shown['spec'])['nodeName']) === node
      if (!isOfNode) return
      await store.remove(key, { uid: shown.metadata.uid ?? '' })
    }
    if (pod === undefined) return
    const mirror = mirrorOf(pod, store.get({ resource: 'nodes', name: node }))
    await store.create(mirror, { author: 'edged' })
    await this.#tell(key, asObject(pod['status']))
  }

  async #tell(key: ObjectKey, status: JsonObject): Promise<void> {
    const { store, podAt } = this.#options
    const pod = podAt(key)
    const shown = store.get(key)
    // It may be that it could not be made when it should have been.
    if (pod !== undefined && shown === undefined) return await this.#look(key)
    if (pod === undefined || shown === undefined || !isMirrorOf(shown, pod)) return
    if (Object.keys(status).length === 0 || sameJson(shown['status'], status)) return
    const recipe = (object: KubeObject): KubeObject =>
      sameJson(object['status'], status) ? object : { ...object, status }
    await store.update(key, recipe, { part: 'observed', author: 'edged' })
  }

  async #inTurn(key: ObjectKey, work: () => Promise<void>): Promise<void> {
    const name = `${key.namespace}/${key.name}`
    const before = this.#turns.get(name) ?? Promise.resolve()
    const turn = before
      .then(() => (this.#isClosed ? undefined : work()))
      .catch((error: unknown) => {
        // Gone or made by somebody else meanwhile: the next event or look puts it right.
        const isRace = error instanceof ObjectError && error.reason !== 'InternalError'
        const { logger } = this.#options
        if (isRace) logger.debug('the mirror of a static pod has changed', { pod: name, error })
        else logger.warn('cannot show a static pod', { pod: name, error })
      })
    this.#turns.set(name, turn)
    await turn
    if (this.#turns.get(name) === turn) this.#turns.delete(name)
  }
}
