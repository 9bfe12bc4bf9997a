import { type ImageStatus, RuntimeError, type RuntimeImages } from '../../runtime/index.ts'
import type { Waiting } from '../container-status.ts'
import { goDuration } from '../go-duration.ts'
import { asText } from '../json.ts'
import { type PodContext, tell } from '../pod-context.ts'
import type { ContainerView, PodView } from '../pod-view.ts'
import { type ImageName, parseImageName } from './image-name.ts'
import {
  endOfWaitMs,
  nextPullWait,
  PULL_BACKOFF,
  type PullBackoff,
  type PullWait,
} from './pull-backoff.ts'
import { pullSecrets } from './pull-secrets.ts'
import { loginsFor } from './registry-logins.ts'

/** What is known of a container's image. */
export type ImageNeed =
  | { readonly type: 'ready'; readonly reference: string; readonly image: ImageStatus }
  /** It is being pulled: the pod is looked at again when that is over. */
  | { readonly type: 'pulling'; readonly waiting: Waiting }
  | {
      readonly type: 'failed'
      readonly waiting: Waiting
      /** What has to be told besides, once. */
      readonly event?: { readonly reason: string; readonly message: string } | undefined
    }

/** One pull for one run of a container. */
type Pull = PullState & {
  /** What the container called it then: the image of a pod may be changed. */
  readonly named: string
}

type PullState =
  | { readonly state: 'pulling' }
  | { readonly state: 'done'; readonly image: ImageStatus }
  | { readonly state: 'failed'; readonly message: string; readonly shownUntilMs: number }

/** What a puller needs of what all who work on pods share. */
type PullContext = Pick<PodContext, 'store' | 'clock' | 'record' | 'hint' | 'closed'>

interface Failure extends PullWait {
  readonly message: string
  isTold: boolean
}

/** Pulls at once; others wait for their turn. The link of an edge node is not wide. */
const PULLS_MAX = 3
/** How long a failed pull is shown as such before it is shown as waiting for the next. */
const FAILURE_SHOWN_MS = 3_000

/**
 * Gets the images of containers onto the node, in the background: no pod waits for the image of
 * another. Failures are kept in memory only, so the first pull after a restart comes at once.
 */
export class ImagePuller {
  readonly #context: PullContext
  readonly #images: RuntimeImages
  readonly #backoff: PullBackoff
  /** By pod, then by container and attempt. */
  readonly #pulls = new Map<string, Map<string, Pull>>()
  /** By pod, then by image. */
  readonly #failures = new Map<string, Map<string, Failure>>()
  readonly #queue: (() => void)[] = []
  #active = 0

  constructor(context: PullContext, images: RuntimeImages, backoff: PullBackoff = PULL_BACKOFF) {
    this.#context = context
    this.#images = images
    this.#backoff = backoff
  }

  /** Looks for the image of one run of a container, and begins to pull it when it has to be. */
  async ensure(pod: PodView, container: ContainerView, attempt: number): Promise<ImageNeed> {
    const parsed = parseImageName(container.image)
    if ('problem' in parsed) return invalidName(container.image, parsed.problem)
    const run = `${container.name}/${attempt}`
    const last = this.#pulls.get(pod.uid)?.get(run)
    const pull = last?.named === container.image ? last : undefined
    const failure = this.#failures.get(pod.uid)?.get(container.image)
    const nowMs = this.#context.clock.monotonicMs()
    if (pull?.state === 'done') return ready(parsed, pull.image)
    if (pull?.state === 'pulling') {
      return { type: 'pulling', waiting: failure === undefined ? creating(pod) : backOff(failure) }
    }
    if (pull?.state === 'failed' && nowMs < pull.shownUntilMs) {
      const { message } = pull
      return { type: 'failed', waiting: { reason: 'ErrImagePull', message } }
    }
    const policy = policyOf(container, parsed)
    if (policy !== 'Always') {
      const found = await this.#look(pod, container, parsed, policy)
      if (found !== undefined) return found
    }
    if (failure !== undefined && nowMs < endOfWaitMs(failure)) {
      const message = `Back-off pulling image "${container.image}"`
      if (!failure.isTold) tell(this.#context, pod, 'Normal', 'BackOff', message, container.name)
      failure.isTold = true
      return { type: 'failed', waiting: backOff(failure) }
    }
    const begun: Pull = { state: 'pulling', named: container.image }
    this.#keep(pod, run, begun)
    void this.#pull(pod, container, attempt, parsed, begun)
    return { type: 'pulling', waiting: failure === undefined ? creating(pod) : backOff(failure) }
  }

  /** This run of a container has been started, or has to have its image looked for once more. */
  settle(uid: string, container: string, attempt: number): void {
    this.#pulls.get(uid)?.delete(`${container}/${attempt}`)
  }

  /** After how long a pod has to be looked at again for its images. */
  wakeAfterMs(uid: string): number | undefined {
    const shown = [...(this.#pulls.get(uid)?.values() ?? [])].flatMap((pull) =>
      pull.state === 'failed' ? [pull.shownUntilMs] : [],
    )
    const nowMs = this.#context.clock.monotonicMs()
    const waits = [...(this.#failures.get(uid)?.values() ?? [])].map(endOfWaitMs)
    const times = [...shown, ...waits].filter((atMs) => atMs > nowMs)
    return times.length === 0 ? undefined : Math.min(...times) - nowMs
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#pulls.delete(uid)
    this.#failures.delete(uid)
  }

  /** @returns undefined when it has to be pulled. */
  async #look(
    pod: PodView,
    container: ContainerView,
    name: ImageName,
    policy: 'IfNotPresent' | 'Never',
  ): Promise<ImageNeed | undefined> {
    const { image } = container
    let found: ImageStatus | undefined
    try {
      found = await this.#images.image(name.reference)
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      const message = `Failed to inspect image "${name.reference}": ${error.message}`
      const event = { reason: 'InspectFailed', message }
      return { type: 'failed', waiting: { reason: 'ImageInspectError', message }, event }
    }
    if (found === undefined && policy === 'IfNotPresent') return undefined
    if (found === undefined) {
      const message = `Container image "${image}" is not present with pull policy of Never`
      const reason = 'ErrImageNeverPull'
      return { type: 'failed', waiting: { reason, message }, event: { reason, message } }
    }
    const message = `Container image "${image}" already present on machine`
    tell(this.#context, pod, 'Normal', 'Pulled', message, container.name)
    return ready(name, found)
  }

  /** Never fails: what happened is kept for the next look, which it asks for. */
  async #pull(
    pod: PodView,
    container: ContainerView,
    attempt: number,
    name: ImageName,
    begun: Pull,
  ): Promise<void> {
    const { clock, closed } = this.#context
    const { image } = container
    const run = `${container.name}/${attempt}`
    const say = (type: 'Normal' | 'Warning', reason: string, message: string): void => {
      if (!closed.aborted) tell(this.#context, pod, type, reason, message, container.name)
    }
    say('Normal', 'Pulling', `Pulling image "${image}"`)
    const askedAtMs = clock.monotonicMs()
    await this.#turn()
    let result: PullState
    try {
      const beganAtMs = clock.monotonicMs()
      const logins = loginsFor(name.repository, pullSecrets(this.#context.store, pod).found)
      const status = await this.#images.pullImage(name.reference, logins)
      const nowMs = clock.monotonicMs()
      const took = `${goDuration(nowMs - beganAtMs)} (${goDuration(nowMs - askedAtMs)} including waiting)`
      const size = `Image size: ${status.sizeBytes} bytes.`
      say('Normal', 'Pulled', `Successfully pulled image "${image}" in ${took}. ${size}`)
      result = { state: 'done', image: status }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      say('Warning', 'Failed', `Failed to pull image "${image}": ${message}`)
      const kept = attempt === 0 ? undefined : await this.#kept(name)
      if (kept === undefined) {
        result = this.#failed(pod.uid, image, message)
      } else {
        say('Normal', 'Pulled', `Container image "${image}" that it ran before is used again`)
        result = { state: 'done', image: kept }
      }
    } finally {
      this.#passOn()
    }
    // The pod may have gone meanwhile, or its image have been changed.
    if (this.#pulls.get(pod.uid)?.get(run) !== begun) return
    this.#keep(pod, run, { ...result, named: image })
    if (!closed.aborted) this.#context.hint(pod.uid)
  }

  /**
   * The image that a container ran before. Otherwise a node that is cut off could start nothing again
   * whose policy is to pull always; what its registry would refuse now it has given once.
   */
  async #kept({ reference }: ImageName): Promise<ImageStatus | undefined> {
    return await this.#images.image(reference).catch(() => undefined)
  }

  async #turn(): Promise<void> {
    if (this.#active < PULLS_MAX) {
      this.#active += 1
      return
    }
    await new Promise<void>((resolve) => {
      this.#queue.push(resolve)
    })
  }

  /** The place of a pull that is over goes to the one that waits longest. */
  #passOn(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#active -= 1
    else next()
  }

  #failed(uid: string, image: string, message: string): PullState {
    const nowMs = this.#context.clock.monotonicMs()
    const failures = this.#failures.get(uid) ?? new Map<string, Failure>()
    if (this.#pulls.has(uid)) this.#failures.set(uid, failures)
    const wait = nextPullWait(failures.get(image), this.#backoff, nowMs)
    const text = `Back-off pulling image "${image}": ErrImagePull: ${message}`
    failures.set(image, { ...wait, message: text, isTold: false })
    const shownMs = Math.min(FAILURE_SHOWN_MS, wait.delayMs)
    return { state: 'failed', message, shownUntilMs: nowMs + shownMs }
  }

  #keep(pod: PodView, run: string, pull: Pull): void {
    const pulls = this.#pulls.get(pod.uid) ?? new Map<string, Pull>()
    this.#pulls.set(pod.uid, pulls)
    pulls.set(run, pull)
  }
}

function ready({ reference }: ImageName, image: ImageStatus): ImageNeed {
  return { type: 'ready', reference, image }
}

function creating(pod: PodView): Waiting {
  return { reason: pod.initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating' }
}

function backOff({ message }: Failure): Waiting {
  return { reason: 'ImagePullBackOff', message }
}

function invalidName(image: string, problem: string): ImageNeed {
  const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${problem}`
  const event = { reason: 'InspectFailed', message }
  return { type: 'failed', waiting: { reason: 'InvalidImageName', message }, event }
}

/** The API sets it; where it has not, the tag decides as it does there. */
function policyOf(
  container: ContainerView,
  { tag, digest }: ImageName,
): 'Always' | 'IfNotPresent' | 'Never' {
  const policy = asText(container.json['imagePullPolicy'])
  if (policy === 'Always' || policy === 'IfNotPresent' || policy === 'Never') return policy
  return tag === 'latest' && digest === undefined ? 'Always' : 'IfNotPresent'
}
