import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rmdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningProgram } from '../../examples/demo/program.ts'
import type { Relay } from '../../examples/demo/relay.ts'
import type { ApiClient } from '../../examples/shared/api-client.ts'
import { readProcesses } from '../../src/adapters/runtime/cgroup-processes.ts'
import type { Containerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { cgroupsOf, outputOf } from '../containers/leftovers.ts'
import { killPid, type RunningEngine } from '../containers/place.ts'
import { type FaultRuntime, faultEngineArgs, heldBy, startFaultEngine } from './fault-engine.ts'
import { TestFleet, until } from './fleet-programs.ts'

/** What faults are let loose on: a cloud, a link that can be cut, a node and its engine. */
export interface FaultPlaceOptions {
  /** Pods are containers, or plain processes. */
  readonly runtime: FaultRuntime
  /** More arguments for edgecore. */
  readonly args?: readonly string[] | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** A directory that holds everything of the node. Default: one beside that of the cloud. */
  readonly disk?: string | undefined
  /** A directory that holds everything of the engine. Default: one beside others. */
  readonly engineDisk?: string | undefined
}

/** The part of a pod that is looked at. */
export interface SeenPod {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly status?: {
    readonly phase?: string
    readonly podIP?: string
    readonly startTime?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly SeenContainer[]
  }
}

/** The part of a container's status that is looked at. */
export interface SeenContainer {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state: {
    readonly waiting?: { readonly reason: string; readonly message?: string }
    readonly running?: { readonly startedAt: string }
    readonly terminated?: { readonly exitCode: number; readonly reason: string }
  }
  readonly lastState: {
    readonly terminated?: {
      readonly exitCode: number
      readonly reason: string
      readonly message?: string
    }
  }
}

/** An event of a pod. */
export interface SeenEvent {
  readonly reason: string
  readonly message: string
  readonly count?: number
}

/** The lives of one container: how often it began, and whether two of them were there at once. */
export interface Lives {
  readonly begun: number
  readonly overlaps: number
}

const NODE = 'edge-1'
const PODS = '/api/v1/namespaces/default/pods'
const WAIT_MS = 90_000
const LINES_TOLD = 30

/** One node with everything that can fail around it. */
export class FaultPlace {
  readonly fleet: TestFleet
  readonly link: Relay
  readonly engine: RunningEngine | undefined
  readonly api: ApiClient
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #runtime: FaultRuntime
  /** What the engine itself has mounted, whatever pods there are. */
  #mountsBefore: readonly string[] = []
  #edge: RunningProgram | undefined
  #isClosing = false

  private constructor(
    parts: Pick<FaultPlace, 'fleet' | 'link' | 'engine' | 'api'>,
    { runtime, args = [], env = {} }: FaultPlaceOptions,
  ) {
    this.fleet = parts.fleet
    this.link = parts.link
    this.engine = parts.engine
    this.api = parts.api
    this.#runtime = runtime
    const { address } = parts.link
    this.#args = [...faultEngineArgs(runtime, parts.engine), '--server', address, ...args]
    this.#env = env
  }

  static async open(options: FaultPlaceOptions): Promise<FaultPlace> {
    const fleet = await TestFleet.create()
    let link: Relay | undefined
    let engine: RunningEngine | undefined
    try {
      await fleet.startCloud()
      link = await fleet.openRelay()
      engine = await startFaultEngine(options.runtime, options.engineDisk)
      const place = new FaultPlace({ fleet, link, engine, api: await fleet.api('cloud') }, options)
      place.#mountsBefore = (await engine?.leftovers())?.mounts ?? []
      await mkdir(place.livesFolder)
      if (options.disk !== undefined) await symlink(options.disk, place.data)
      const token = await fleet.token(NODE)
      place.#edge = await fleet.startEdge(NODE, ['--token', token, ...place.#args], place.#env)
      await place.edge.line('connected to the cloud')
      return place
    } catch (error) {
      await link?.close()
      await fleet.close()
      await engine?.close()
      throw error
    }
  }

  /** The engine, where it is a containerd. */
  get containerd(): Containerd | undefined {
    return this.#runtime === 'cri' ? (this.engine as Containerd) : undefined
  }

  get edge(): RunningProgram {
    if (this.#edge === undefined) throw new Error('edgecore is down')
    return this.#edge
  }

  /** Where containers write their lives. */
  get livesFolder(): string {
    return join(this.fleet.directory, 'lives')
  }

  /** The directory of the node. */
  get data(): string {
    return this.fleet.data(NODE)
  }

  /** Ends edgecore as a crash does. */
  async kill(): Promise<void> {
    const edge = this.edge
    this.#edge = undefined
    await edge.kill()
  }

  /** Kills the keeper of one pod, whichever `chance` (from 0 up to 1) picks; none while there is none. */
  async killShim(chance: number): Promise<void> {
    const keepers = (await this.containerd?.leftovers())?.processes.filter(isShim) ?? []
    const [pid] = keepers[Math.floor(chance * keepers.length)]?.split(' ') ?? []
    if (pid !== undefined) killPid(Number(pid))
  }

  /** Ends everything here as a power cut does: only disks are as they were. */
  async cutPower(): Promise<void> {
    const uids = (await this.pods()).map(({ metadata }) => metadata.uid)
    await this.kill()
    await this.containerd?.kill()
    for (const line of (await this.containerd?.leftovers())?.processes ?? [])
      killPid(Number(line.split(' ')[0]))
    for (const uid of uids) {
      for (const group of await cgroupsOf(`tideway/pod${uid}`)) {
        for (const pid of await readProcesses(join(group, 'cgroup.procs'))) killPid(pid)
        await until(`${group} being empty`, () => rmdir(group).then(() => true))
      }
    }
    await this.containerd?.cutPower()
    await this.#unmountAll()
  }

  async #unmountAll(): Promise<void> {
    for (const path of (await mountsBelow(this.data)).toReversed())
      await outputOf('umount', '-l', path)
  }

  /**
   * Starts edgecore again, without waiting for anything. One that ends by itself, as it does where its
   * engine is away, is started once more, as the machine's own supervisor would.
   */
  restart(): RunningProgram {
    const edge = this.fleet.launch('edgecore', this.fleet.edgeArgs(NODE, this.#args), this.#env)
    this.#edge = edge
    void edge.exited.then(() => {
      if (this.#edge === edge && !this.#isClosing) this.restart()
    })
    return edge
  }

  /** Ends edgecore in good order. */
  async stop(): Promise<void> {
    const edge = this.edge
    this.#edge = undefined
    await edge.stop()
  }

  /** Ends everything, and takes away what is left of it. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.link.close()
    await this.#edge?.stop()
    // Edgecore itself stops what are its own processes, and the rest goes with its engine.
    await this.engine?.close()
    await this.#unmountAll()
    await this.fleet.close()
  }

  /** The last that edgecore has said, for the message of a failure. */
  #lastWords(): string {
    const lines = this.#edge?.lines() ?? []
    return lines
      .filter(({ level }) => level !== 'debug')
      .slice(-LINES_TOLD)
      .map((line) => JSON.stringify(line))
      .join('\n')
  }

  async create(pod: object): Promise<SeenPod> {
    return (await this.api.expect('POST', PODS, pod)) as unknown as SeenPod
  }

  async delete(name: string): Promise<void> {
    await this.api.expect('DELETE', `${PODS}/${name}`)
  }

  /** Deletes a pod, and waits until nothing of it is left at the cloud or here. */
  async gone(name: string): Promise<void> {
    await this.delete(name)
    await until(`${name} being gone`, async () => (await this.pod(name)) === undefined, WAIT_MS)
    await this.noTraces()
  }

  /** Waits until nothing of any pod is left here. */
  async noTraces(): Promise<void> {
    let last: Traces | undefined
    try {
      await until(
        'nothing being left',
        async () => {
          last = await this.traces()
          return Object.values(last).every((each: readonly string[]) => each.length === 0)
        },
        WAIT_MS,
      )
    } catch (error) {
      throw new Error(`something is left: ${JSON.stringify(last)}`, { cause: error })
    }
  }

  /** The process that holds the namespaces of a pod. */
  async sandboxPid({ metadata, status }: SeenPod): Promise<number> {
    const own = (status?.containerStatuses ?? []).map(({ containerID = '' }) => containerID)
    const socket = this.containerd?.socket ?? ''
    const lines = (await outputOf('ctr', '-a', socket, '-n', 'k8s.io', 'tasks', 'ls')).split('\n')
    for (const [id = '', pid = ''] of lines.map((line) => line.split(/\s+/))) {
      if (own.includes(`containerd://${id}`)) continue
      const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
      if (groups.includes(metadata.uid)) return Number(pid)
    }
    throw new Error(`no sandbox of ${metadata.name} runs: ${lines.join('; ')}`)
  }

  async pods(): Promise<readonly SeenPod[]> {
    const list = (await this.api.expect('GET', PODS)) as unknown as {
      readonly items: readonly SeenPod[]
    }
    return list.items
  }

  async pod(name: string): Promise<SeenPod | undefined> {
    return (await this.pods()).find((pod) => pod.metadata.name === name)
  }

  /** What was told about a pod. */
  async events(name: string): Promise<readonly SeenEvent[]> {
    const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${name}`
    const list = (await this.api.expect('GET', path)) as unknown as {
      readonly items: readonly SeenEvent[]
    }
    return list.items
  }

  /** Waits until a pod is so, as the cloud sees it. */
  async podWhere(name: string, fits: (pod: SeenPod) => boolean): Promise<SeenPod> {
    let last: SeenPod | undefined
    try {
      return await until(
        name,
        async () => {
          last = await this.pod(name)
          return last !== undefined && fits(last) ? last : undefined
        },
        WAIT_MS,
      )
    } catch (error) {
      const said = { status: last?.status, events: await this.events(name) }
      throw new Error(`pod ${name} is not so: ${JSON.stringify(said)}\n${this.#lastWords()}`, {
        cause: error,
      })
    }
  }

  /** Waits until exactly these pods are there and ready, as the cloud sees it. */
  async onlyReady(names: readonly string[], waitMs: number = WAIT_MS): Promise<readonly SeenPod[]> {
    let last: readonly SeenPod[] = []
    const wanted = [...names].sort().join(' ')
    try {
      return await until(
        wanted,
        async () => {
          last = await this.pods()
          const found = last.map((pod) => pod.metadata.name).sort()
          return found.join(' ') === wanted && last.every(isReady) ? last : undefined
        },
        waitMs,
      )
    } catch (error) {
      const odd = last.filter((pod) => !isReady(pod) || !names.includes(pod.metadata.name))
      const said = JSON.stringify(odd.map(({ metadata, status }) => [metadata.name, status]))
      throw new Error(`not only the wanted pods are ready: ${said}\n${this.#lastWords()}`, {
        cause: error,
      })
    }
  }

  /** How often a container of a pod has lived. */
  async lives(pod: string, container = 'main'): Promise<Lives> {
    const text = await readFile(join(this.livesFolder, `${pod}-${container}`), 'utf8').catch(
      () => '',
    )
    const lines = text.split('\n')
    const count = (word: string): number => lines.filter((line) => line === word).length
    return { begun: count('begin'), overlaps: count('overlap') }
  }

  /** Everything that is on this machine because of the node's pods, apart from log and state. */
  async traces(uids: readonly string[] = []): Promise<Traces> {
    const left = await this.engine?.leftovers()
    const root = join(this.data, 'pods')
    const groups = await Promise.all(uids.map((uid) => cgroupsOf(`tideway/pod${uid}`)))
    const mounts = left?.mounts.filter((path) => !this.#mountsBefore.includes(path)) ?? []
    return {
      folders: await readdir(join(root, 'pods')).catch(() => []),
      logs: await readdir(join(root, 'logs')).catch(() => []),
      ...(await heldBy(this.#runtime, this.engine)),
      namespaces: left?.namespaces ?? [],
      chains: left?.chains ?? [],
      shims: await busyOf(left?.processes.filter(isShim) ?? []),
      mounts: [...mounts, ...(await mountsBelow(root))],
      cgroups: groups.flat(),
      addresses: this.engine === undefined ? [] : await addressesIn(this.engine.folder),
    }
  }
}

/** What pods leave on a machine. */
export interface Traces {
  readonly folders: readonly string[]
  readonly logs: readonly string[]
  readonly tasks: readonly string[]
  readonly containers: readonly string[]
  readonly namespaces: readonly string[]
  readonly chains: readonly string[]
  /** Those that keep a process: containerd forgets one that it was starting for somebody who was killed. */
  readonly shims: readonly string[]
  readonly mounts: readonly string[]
  readonly cgroups: readonly string[]
  /** Addresses that the network gave away. */
  readonly addresses: readonly string[]
}

/** Whether a pod is ready, as its own conditions say. */
export function isReady({ status }: SeenPod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return status?.phase === 'Running' && ready?.status === 'True'
}

function isShim(line: string): boolean {
  return /containerd-shim|conmon/.test(line)
}

/** The processes that have others below them. */
async function busyOf(lines: readonly string[]): Promise<readonly string[]> {
  const parents = (await outputOf('ps', '-A', '-o', 'ppid=')).split('\n').map((pid) => pid.trim())
  return lines.filter((line) => parents.includes(line.split(' ')[0] ?? ''))
}

async function mountsBelow(root: string): Promise<readonly string[]> {
  const mounts = await readFile('/proc/mounts', 'utf8')
  return mounts.split('\n').flatMap((line) => {
    const path = line.split(' ')[1] ?? ''
    return path.startsWith(`${root}/`) ? [path] : []
  })
}

async function addressesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, 'addresses'), { recursive: true }).catch(() => [])
  return names.filter((name) => /\d+\.\d+\.\d+\.\d+$/.test(name))
}

/**
 * A pod whose container tells each of its lives, and holds a lock as long as it lives: two lives at once
 * are seen by the kernel, whatever clocks say.
 */
export function livingPod(place: FaultPlace, name: string, more: LivingPod = {}): object {
  const { spec = {}, main = {}, script = 'while :; do sleep 1000 & wait $!; done' } = more
  const isContainer = place.engine !== undefined
  const folder = isContainer ? '/lives' : place.livesFolder
  const file = `${folder}/${name}-main`
  const begin = `exec 9>>${file}.lock; if flock -n 9; then echo begin >>${file}; else echo overlap >>${file}; fi`
  // The machine's own flock, with what it needs.
  const system = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path))
  const shown = isContainer
    ? [['lives', place.livesFolder, '/lives'], ...system.map((path) => [path.slice(1), path, path])]
    : []
  const volumes = [
    { name: 'scratch', emptyDir: { medium: 'Memory' } },
    ...shown.map(([volume, path]) => ({ name: volume, hostPath: { path } })),
  ]
  const volumeMounts = [
    { name: 'scratch', mountPath: '/scratch' },
    ...shown.map(([volume, , mountPath]) => ({ name: volume, mountPath })),
  ]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 1,
      volumes,
      containers: [
        {
          name: 'main',
          image: SHELL_IMAGE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', `trap 'exit 0' TERM; ${begin}; ${script}`],
          volumeMounts: isContainer ? volumeMounts : [],
          ...main,
        },
      ],
      ...spec,
    },
  }
}

/** What a living pod is beside living. */
export interface LivingPod {
  readonly spec?: object
  readonly main?: object
  /** What its container does once it has told of its life. */
  readonly script?: string
}
