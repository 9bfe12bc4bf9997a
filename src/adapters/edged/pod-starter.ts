import { mkdir } from 'node:fs/promises'
import { parseMillis, parseWhole } from '../kubernetes/objects/quantity.ts'
import {
  type ContainerSpec,
  type Limits,
  RuntimeError,
  type SandboxSpec,
} from '../runtime/index.ts'
import type { Waiting } from './container-status.ts'
import { resolveEnv } from './env.ts'
import { expand } from './expansion.ts'
import type { FieldContext } from './fields.ts'
import { asObject } from './json.ts'
import { toLabels } from './labels.ts'
import { type PodContext, tell } from './pod-context.ts'
import { logPath, podPaths } from './pod-paths.ts'
import type { StartStep } from './pod-plan.ts'
import { linksOf, sourceOf } from './pod-source.ts'
import { PodTokens } from './pod-tokens.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { containerMounts, prepareVolumes } from './pod-volumes.ts'

/** Something that is wrong with a pod, to be told once. */
export interface Problem {
  readonly reason: string
  readonly message: string
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

/** Makes whatever a pod's containers need, and starts them. */
export class PodStarter {
  readonly #context: PodContext
  readonly #tokens: PodTokens

  constructor(context: PodContext) {
    this.#context = context
    this.#tokens = new PodTokens(context.api?.issue, context.clock, context.logger)
  }

  /**
   * Brings the volumes of a pod up to date.
   *
   * @returns what keeps them from being used; nothing when all can be.
   */
  async prepare(pod: PodView): Promise<readonly Problem[]> {
    const paths = podPaths(this.#context.directory, pod)
    await mkdir(paths.directory, { recursive: true, mode: 0o755 })
    const source = sourceOf(this.#context, pod, await this.#tokens.of(pod))
    const failures = await prepareVolumes(pod, paths.directory, source, this.#fields(pod))
    return failures.map(({ message }) => ({ reason: 'FailedMount', message }))
  }

  /** When the volumes of a pod have to be prepared again, as a token in them has to be replaced. */
  refreshAtMs(uid: string): number | undefined {
    return this.#tokens.refreshAtMs(uid)
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#tokens.forget(uid)
  }

  /** Starts containers, each on its own: one that cannot start does not hold up the others. */
  async start(pod: PodView, steps: readonly StartStep[]): Promise<StartResult> {
    const waiting = new Map<string, Waiting>()
    const problems: Problem[] = []
    const sandbox = this.#sandboxSpec(pod)
    const { id } = await this.#context.runtime.runSandbox(sandbox)
    for (const step of steps) {
      const reason = await this.#startOne(pod, sandbox, id, step, problems)
      if (reason !== undefined) waiting.set(step.container.name, reason)
    }
    return { waiting, problems }
  }

  async #startOne(
    pod: PodView,
    sandbox: SandboxSpec,
    sandboxId: string,
    step: StartStep,
    problems: Problem[],
  ): Promise<Waiting | undefined> {
    const { container } = step
    const { name } = container
    const fail = (message: string | undefined): void => {
      problems.push({ reason: 'Failed', message: `Error: ${message ?? ''}`, container: name })
    }
    const spec = await this.#containerSpec(pod, sandbox, step, problems)
    if ('reason' in spec) {
      fail(spec.message)
      return spec
    }
    try {
      await this.#context.runtime.startContainer(sandboxId, spec)
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      fail(error.message)
      return waitingAfter(error)
    }
    tell(this.#context, pod, 'Normal', 'Created', `Created container: ${name}`, name)
    tell(this.#context, pod, 'Normal', 'Started', `Started container ${name}`, name)
    const ignored = ignoredSecurity(pod, container, this.#context.runtime.supports.security)
    if (ignored.length > 0) {
      const message = `securityContext ${ignored.join(', ')} is not applied on this node`
      tell(this.#context, pod, 'Warning', 'SecurityContextNotApplied', message, name)
    }
    return undefined
  }

  async #containerSpec(
    pod: PodView,
    sandbox: SandboxSpec,
    step: StartStep,
    problems: Problem[],
  ): Promise<ContainerSpec | Waiting> {
    const { container, attempt, hash, backoffMs } = step
    const { runtime } = this.#context
    const configError = (message: string): Waiting => ({
      reason: 'CreateContainerConfigError',
      message,
    })
    // Mounts with a subPathExpr need variables, and variables may name mounts: two passes.
    const plain = await containerMounts(pod, container, sandbox.directory, {})
    const own = runtime.environment(sandbox, { name: container.name, mounts: plain.mounts })
    const links = linksOf(this.#context, pod)
    const known = { ...own, ...links }
    const resolved = resolveEnv(container, sourceOf(this.#context, pod), this.#fields(pod), known)
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
    return {
      name: container.name,
      attempt,
      image: container.image,
      command: container.command.map((word) => expand(word, variables)),
      args: container.args.map((word) => expand(word, variables)),
      workingDir: container.workingDir,
      env: { ...links, ...resolved.env },
      mounts,
      limits: limitsOf(container),
      logPath: logPath(paths, container.name, attempt),
      stdin: container.stdin,
      tty: container.tty,
      labels: toLabels({ hash, backoffMs, graceMs: pod.graceMs }),
    }
  }

  #sandboxSpec(pod: PodView): SandboxSpec {
    const { namespace, name, uid, hostname } = pod
    const { directory } = podPaths(this.#context.directory, pod)
    return { namespace, name, uid, hostname, directory }
  }

  #fields(pod: PodView): FieldContext {
    const { addresses, capacity } = this.#context.node()
    return { pod, podIPs: addresses, hostIPs: addresses, allocatable: capacity }
  }
}

/** Whom the container may be and what it may do: not something to leave out in silence. */
function ignoredSecurity(pod: PodView, container: ContainerView): readonly string[] {
  const all = {
    ...asObject(pod.spec['securityContext']),
    ...asObject(container.json['securityContext']),
  }
  return Object.keys(all).sort()
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
    case 'InvalidSpec':
      return { reason: 'CreateContainerConfigError', message }
    case 'ImageNotPresent':
    case 'PullFailed':
      return { reason: 'ErrImagePull', message }
    case 'NotFound':
    case 'Unavailable':
      return { reason: 'CreateContainerError', message }
  }
}

function limitsOf(container: ContainerView): Limits {
  const memoryBytes = parseWhole(container.limits['memory'])
  const cpuMillis = parseMillis(container.limits['cpu'])
  const cpuRequestMillis = parseMillis(container.requests['cpu']) ?? cpuMillis
  return {
    ...(memoryBytes === undefined || memoryBytes <= 0 ? {} : { memoryBytes }),
    ...(cpuMillis === undefined || cpuMillis <= 0 ? {} : { cpuMillis }),
    ...(cpuRequestMillis === undefined ? {} : { cpuRequestMillis }),
  }
}
