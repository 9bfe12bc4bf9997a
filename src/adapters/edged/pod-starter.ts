import { mkdir } from 'node:fs/promises'
import { parseWhole } from '../kubernetes/objects/quantity.ts'
import { isNoRoom, noRoomText } from '../runtime/disk-room.ts'
import { type ContainerSpec, type Limits, RuntimeError } from '../runtime/index.ts'
import type { Waiting } from './container-status.ts'
import { resolveEnv } from './environment/env.ts'
import { expand } from './environment/expansion.ts'
import type { FieldContext } from './environment/fields.ts'
import { ephemeralTarget } from './ephemeral-target.ts'
import { type ImageNeed, ImagePuller } from './images/image-puller.ts'
import { pullSecrets } from './images/pull-secrets.ts'
import { asObject } from './json.ts'
import { toLabels } from './labels.ts'
import { messagePlace } from './logs/termination-files.ts'
import { oomScoreAdjust } from './oom-score.ts'
import { type PodContext, tell } from './pod-context.ts'
import { limitsIn, wholeLimits } from './pod-level.ts'
import { logPath, podPaths } from './pod-paths.ts'
import type { StartStep } from './pod-plan.ts'
import { hostsMount, type OpenedSandbox, openSandbox } from './pod-sandbox.ts'
import { containerSecurity, ignoredSecurity, rootProblem } from './pod-security.ts'
import { linksOf, sourceOf } from './pod-source.ts'
import { PodTokens } from './pod-tokens.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { RefusedStarts } from './refused-starts.ts'
import { containerMounts, prepareVolumes } from './volumes/pod-volumes.ts'

/** Something that is wrong with a pod, to be told once. */
export interface Problem {
  readonly reason: string
  readonly message: string
  /** Default: `Warning`. */
  readonly type?: 'Normal' | undefined
  readonly container?: string | undefined
  /** What makes it new when the message is the same. */
  readonly key?: string | undefined
}

/** What came of starting containers. */
export interface StartResult {
  /** Why containers wait, by container; empty when all were started. */
  readonly waiting: ReadonlyMap<string, Waiting>
  readonly problems: readonly Problem[]
}

type PodSandbox = Extract<OpenedSandbox, { readonly type: 'ready' }>
type ReadyImage = Extract<ImageNeed, { readonly type: 'ready' }>

/** Makes whatever a pod's containers need, and starts them. */
export class PodStarter {
  readonly #context: PodContext
  readonly #tokens: PodTokens
  readonly #images: ImagePuller | undefined
  readonly #refused: RefusedStarts

  constructor(context: PodContext) {
    this.#context = context
    const { images } = context.runtime
    this.#images = images === undefined ? undefined : new ImagePuller(context, images)
    this.#tokens = new PodTokens(context.api?.issue, context.clock, context.logger)
    this.#refused = new RefusedStarts(context.clock)
  }

  /**
   * Brings the volumes of a pod up to date.
   *
   * @returns what keeps them from being used; nothing when all can be.
   */
  async prepare(pod: PodView): Promise<readonly Problem[]> {
    try {
      return await this.#prepare(pod)
    } catch (error) {
      if (!isNoRoom(error)) throw error
      const message = `cannot set up the volumes of the pod: ${noRoomText(this.#context.directory)}`
      return [{ reason: 'FailedMount', message }]
    }
  }

  async #prepare(pod: PodView): Promise<readonly Problem[]> {
    const paths = podPaths(this.#context.directory, pod)
    await mkdir(paths.directory, { recursive: true, mode: 0o755 })
    const source = sourceOf(this.#context, pod, await this.#tokens.of(pod))
    const fields = this.#fields(pod)
    const { failures, onDisk } = await prepareVolumes(pod, paths.directory, source, fields)
    for (const volume of onDisk) {
      const message = `volume "${volume}" is not in memory: this node may not mount`
      tell(this.#context, pod, 'Warning', 'EmptyDirOnDisk', message)
    }
    return failures.map(({ message }) => ({ reason: 'FailedMount', message }))
  }

  /**
   * When a pod has to be looked at again, as a token in its volumes has to be replaced, an image
   * pulled or a container made once more.
   */
  refreshAtMs(uid: string): number | undefined {
    const tokensAtMs = this.#tokens.refreshAtMs(uid)
    const waits = [this.#images?.wakeAfterMs(uid), this.#refused.wakeAfterMs(uid)]
    const wakeMs = Math.min(...waits.filter((ms) => ms !== undefined))
    if (wakeMs === Number.POSITIVE_INFINITY) return tokensAtMs
    return Math.min(this.#context.clock.wallMs() + wakeMs, tokensAtMs ?? Number.MAX_VALUE)
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#tokens.forget(uid)
    this.#images?.forget(uid)
    this.#refused.forget(uid)
  }

  /** Starts containers, each on its own: one that cannot start does not hold up the others. */
  async start(pod: PodView, steps: readonly StartStep[]): Promise<StartResult> {
    const waiting = new Map<string, Waiting>()
    const problems: Problem[] = []
    const sandbox = await openSandbox(this.#context, pod)
    problems.push(...sandbox.problems)
    const { problem } = pullSecrets(this.#context.store, pod)
    if (problem !== undefined && steps.length > 0) problems.push(problem)
    if (sandbox.type === 'failed') {
      const reason = pod.initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating'
      for (const { container } of steps) waiting.set(container.name, { reason })
      return { waiting, problems }
    }
    for (const step of steps) {
      const reason = await this.#startOne(pod, sandbox, step, problems)
      if (reason !== undefined) waiting.set(step.container.name, reason)
    }
    return { waiting, problems }
  }

  async #startOne(
    pod: PodView,
    sandbox: PodSandbox,
    step: StartStep,
    problems: Problem[],
  ): Promise<Waiting | undefined> {
    const { container, attempt, hash } = step
    const { name } = container
    const run = { name, attempt, hash }
    const fail = (message: string | undefined): void => {
      // The next run fails anew, however alike.
      const key = `${attempt} ${message ?? ''}`
      problems.push({ reason: 'Failed', message: `Error: ${message ?? ''}`, container: name, key })
    }
    const refused = this.#refused.waiting(pod.uid, run)
    if (refused !== undefined) {
      fail(refused.message)
      return refused
    }
    const image = await this.#images?.ensure(pod, container, attempt)
    if (image !== undefined && image.type !== 'ready') {
      if (image.type === 'failed' && image.event !== undefined)
        problems.push({ ...image.event, container: name })
      if (image.type === 'failed') fail(image.waiting.reason)
      return image.waiting
    }
    const spec = await this.#containerSpec(pod, sandbox, step, problems, image).catch(
      (error: unknown): Waiting => {
        if (!isNoRoom(error)) throw error
        const message = noRoomText(this.#context.directory)
        return { reason: 'CreateContainerConfigError', message }
      },
    )
    if ('reason' in spec) {
      fail(spec.message)
      return spec
    }
    try {
      await this.#context.runtime.startContainer(sandbox.status.id, spec)
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      // What could not be started was made all the same.
      const isMade = error.reason === 'StartFailed'
      if (isMade) tell(this.#context, pod, 'Normal', 'Created', `Created container: ${name}`, name)
      const waiting = waitingAfter(error)
      const isRefused = waiting !== undefined && error.reason === 'InvalidSpec'
      const told = isRefused ? this.#refused.refused(pod.uid, run, waiting) : waiting
      fail(told?.message ?? error.message)
      return told
    } finally {
      this.#images?.settle(pod.uid, name, attempt)
    }
    tell(this.#context, pod, 'Normal', 'Created', `Created container: ${name}`, name)
    tell(this.#context, pod, 'Normal', 'Started', `Started container ${name}`, name)
    const ignored = ignoredSecurity(pod, container, this.#context.runtime.supports)
    if (ignored.length > 0) {
      const message = `securityContext ${ignored.join(', ')} is not applied on this node`
      tell(this.#context, pod, 'Warning', 'SecurityContextNotApplied', message, name)
    }
    return undefined
  }

  async #containerSpec(
    pod: PodView,
    { spec: sandbox, status }: PodSandbox,
    step: StartStep,
    problems: Problem[],
    need: ReadyImage | undefined,
  ): Promise<ContainerSpec | Waiting> {
    const { container, attempt, hash, backoffMs } = step
    const { runtime } = this.#context
    const configError = (message: string): Waiting => ({
      reason: 'CreateContainerConfigError',
      message,
    })
    const hasUsers = runtime.images === undefined && runtime.supports.security.has('uid')
    const ownUid = hasUsers ? process.getuid?.() : undefined
    const refused = rootProblem(pod, container, need?.image, ownUid)
    if (refused !== undefined) return configError(refused)
    // Mounts with a subPathExpr need variables, and variables may name mounts: two passes.
    const plain = await containerMounts(pod, container, sandbox.directory, undefined)
    const own = runtime.environment(sandbox, { name: container.name, mounts: plain.mounts })
    const links = linksOf(this.#context, pod)
    const known = { ...own, ...links }
    const fields = this.#fields(pod, status.ip)
    const resolved = resolveEnv(container, sourceOf(this.#context, pod), fields, known)
    if (resolved.type === 'missing') return configError(resolved.message)
    if (resolved.skipped.length > 0) problems.push(skippedKeys(container, resolved.skipped))
    const { mounts, problem } = await containerMounts(
      pod,
      container,
      sandbox.directory,
      resolved.env,
    )
    if (problem !== undefined) return configError(problem)
    const variables = { ...known, ...resolved.env }
    const paths = podPaths(this.#context.directory, pod)
    const hosts = await hostsMount(this.#context, pod, container, fields.podIPs)
    const last = await messagePlace(this.#context, pod, container, attempt)
    const target = await ephemeralTarget(this.#context, pod, container)
    if (target.problem !== undefined) return configError(target.problem)
    return {
      name: container.name,
      attempt,
      image: need?.reference ?? container.image,
      command: container.command.map((word) => expand(word, variables)),
      args: container.args.map((word) => expand(word, variables)),
      workingDir: container.workingDir,
      env: { ...last.env, ...links, ...resolved.env },
      mounts: [...mounts, ...hosts, ...last.mounts],
      limits: this.#limits(pod, container),
      security: containerSecurity(pod, container, need?.image, this.#context.directory),
      logPath: logPath(paths, container.name, attempt),
      stdin: container.stdin,
      tty: container.tty,
      besideProcessesOf: target.id,
      labels: toLabels({
        ...{ hash, backoffMs, graceMs: pod.graceMs },
        resources: asObject(container.json['resources']),
      }),
    }
  }

  #limits(pod: PodView, container: ContainerView): Limits {
    const capacityBytes = parseWhole(this.#context.node().capacity['memory']) ?? 0
    return {
      ...limitsIn(pod, container),
      oomScoreAdjust: oomScoreAdjust(pod, container, capacityBytes),
    }
  }

  /** @param ip the pod's own address; undefined while it has none, or that of the machine. */
  #fields(pod: PodView, ip?: string | undefined): FieldContext {
    const { addresses, allocatable } = this.#context.node()
    const podIPs = ip === undefined ? addresses : [ip]
    const most = { ...allocatable, ...wholeLimits(pod) }
    return { pod, podIPs, hostIPs: addresses, allocatable: most }
  }
}

function skippedKeys(container: ContainerView, skipped: readonly string[]): Problem {
  const keys = skipped.slice(0, 20).join(', ')
  return {
    reason: 'InvalidEnvironmentVariableNames',
    message: `Keys [${keys}] were skipped since they are considered invalid environment variable names`,
    container: container.name,
  }
}

/** Kubelet's reasons for a container that waits after a failed start. */
function waitingAfter(error: RuntimeError): Waiting | undefined {
  const { message } = error
  switch (error.reason) {
    case 'StartFailed':
      // The container exists and has ended: it is restarted like any other.
      return undefined
    case 'CommandRequired':
      return { reason: 'CommandRequired', message }
    case 'ImageNotPresent':
    case 'PullFailed':
      return { reason: 'ErrImagePull', message }
    case 'InvalidSpec':
    case 'NotFound':
    case 'Unavailable':
      return { reason: 'CreateContainerError', message }
  }
}
