import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { createEdged, type Edged, type EdgedOptions } from 'tideway/adapters/edged'
import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { type ProcessRuntimeOptions, processRuntime } from 'tideway/adapters/runtime/process'
import { eventually, openTestReplica, openTestStore } from '../support/fleet.ts'

/** One node with a store, a runtime and edged, and a way to take each of them down and up again. */
export class EdgedPlace {
  readonly directory: string
  readonly replica: Replica
  readonly store: OpenObjectStore
  readonly #options: Partial<EdgedOptions>
  readonly #runtimeOptions: Partial<ProcessRuntimeOptions>
  #runtime: PodRuntime | undefined
  #edged: Edged | undefined

  /** Only {@link openPlace} makes one. */
  constructor(
    directory: string,
    replica: Replica,
    store: OpenObjectStore,
    options: Partial<EdgedOptions>,
    runtimeOptions: Partial<ProcessRuntimeOptions>,
  ) {
    this.directory = directory
    this.replica = replica
    this.store = store
    this.#options = options
    this.#runtimeOptions = runtimeOptions
  }

  get edged(): Edged {
    if (this.#edged === undefined) throw new Error('edged is down')
    return this.#edged
  }

  get runtime(): PodRuntime {
    if (this.#runtime === undefined) throw new Error('edged is down')
    return this.#runtime
  }

  /** Starts runtime and edged on what is in the directory. */
  async up(): Promise<void> {
    const common = { clock: systemClock, logger: consoleLogger('silent') }
    const directory = join(this.directory, 'runtime')
    const cgroupRoot = `tideway-test-${process.pid}`
    this.#runtime = await processRuntime({
      ...common,
      directory,
      cgroupRoot,
      ...this.#runtimeOptions,
    })
    this.#edged = createEdged({
      ...common,
      node: 'edge-1',
      store: this.store,
      runtime: this.#runtime,
      directory: join(this.directory, 'node'),
      random: systemRandom,
      version: 'v1.34.0',
      addresses: ['127.0.0.1'],
      ...this.#options,
    })
    await this.#edged.ready
  }

  /** Ends edged and the runtime; containers go on. */
  async down(): Promise<void> {
    await this.#edged?.close()
    await this.#runtime?.close()
    this.#edged = undefined
    this.#runtime = undefined
  }

  /** Kills every pod and removes every file. */
  async dispose(): Promise<void> {
    await this.down()
    const runtime = await processRuntime({
      clock: systemClock,
      logger: consoleLogger('silent'),
      directory: join(this.directory, 'runtime'),
      cgroupRoot: `tideway-test-${process.pid}`,
      ...this.#runtimeOptions,
    })
    for (const sandbox of (await runtime.list()).sandboxes) await runtime.removeSandbox(sandbox.id)
    await runtime.close()
    await this.store.close()
    await this.replica.close()
    await rm(this.directory, { recursive: true, force: true })
  }

  async create(object: KubeObject): Promise<KubeObject> {
    return await this.store.create(object)
  }

  pod(name: string): KubeObject | undefined {
    return this.store.get({ resource: 'pods', namespace: 'default', name })
  }

  /** Waits until the status of a pod fits. */
  async podWhere(
    name: string,
    fits: (status: PodStatus) => boolean,
    timeoutMs = 15_000,
  ): Promise<PodStatus> {
    try {
      return await eventually(() => {
        const status = statusOf(this.pod(name))
        return status !== undefined && fits(status) ? status : undefined
      }, timeoutMs)
    } catch {
      throw new Error(`pod ${name} is not so: ${JSON.stringify(this.pod(name)?.['status'])}`)
    }
  }

  /** The first status of a pod that fits, however short it lasts. */
  async firstWhere(name: string, fits: (status: PodStatus) => boolean): Promise<PodStatus> {
    let found: PodStatus | undefined
    const cancel = this.store.watch('pods', {}, ({ object }) => {
      const status = object.metadata.name === name ? statusOf(object) : undefined
      if (status !== undefined && fits(status)) found ??= status
    })
    try {
      return await eventually(() => found, 15_000)
    } finally {
      cancel()
    }
  }

  /** The log of a container as `kubectl logs` shows it. */
  async log(name: string, options: { readonly previous?: boolean } = {}): Promise<string> {
    const pieces = await this.edged.logs.open({
      namespace: 'default',
      pod: name,
      container: 'main',
      follow: false,
      previous: options.previous ?? false,
      timestamps: false,
      signal: new AbortController().signal,
    })
    let text = ''
    for await (const piece of pieces) text += Buffer.from(piece).toString('utf8')
    return text
  }
}

/** A node of its own in a new directory, up and ready. */
export async function openPlace(
  options: Partial<EdgedOptions> = {},
  runtimeOptions: Partial<ProcessRuntimeOptions> = {},
): Promise<EdgedPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-edged-'))
  const replica = await openTestReplica()
  const store = await openTestStore(replica)
  const place = new EdgedPlace(directory, replica, store, options, runtimeOptions)
  await place.up()
  return place
}

/** What tests read of a pod's status. */
export interface PodStatus {
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly conditions?: readonly {
    readonly type: string
    readonly status: string
    readonly reason?: string
    readonly message?: string
  }[]
  readonly containerStatuses?: readonly ContainerStatusJson[]
  readonly initContainerStatuses?: readonly ContainerStatusJson[]
  readonly ephemeralContainerStatuses?: readonly ContainerStatusJson[]
  readonly podIP?: string
  readonly qosClass?: string
}

/** What tests read of a container's status. */
export interface ContainerStatusJson {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state: StateJson
  readonly lastState: StateJson
  readonly allocatedResources?: Readonly<Record<string, string>>
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }
}

interface StateJson {
  readonly waiting?: { readonly reason: string; readonly message?: string }
  readonly running?: { readonly startedAt: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly reason: string
    readonly message?: string
  }
}

function statusOf(pod: KubeObject | undefined): PodStatus | undefined {
  // Only read by the tests of this folder, which fail if it is anything else.
  return pod?.['status'] as unknown as PodStatus | undefined
}

/** The first container of a status. */
export function mainOf(status: PodStatus): ContainerStatusJson | undefined {
  return status.containerStatuses?.[0]
}

/** A pod with one container that runs a shell script. */
export function shellPod(
  name: string,
  script: string,
  spec: object = {},
  main: object = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image: 'local/shell', command: ['sh', '-c', script], ...main }],
      ...spec,
    },
  }
}

/** A config map. */
export function configMap(name: string, data: Readonly<Record<string, string>>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data }
}
