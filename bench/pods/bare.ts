import { join } from 'node:path'
import { CriClient } from '../../src/adapters/runtime/cri/client.ts'
import { containerConfig } from '../../src/adapters/runtime/cri/container-config.ts'
import { GrpcChannel } from '../../src/adapters/runtime/cri/grpc.ts'
import { sandboxConfig } from '../../src/adapters/runtime/cri/sandbox-config.ts'
import type { ContainerSpec, SandboxSpec } from '../../src/adapters/runtime/index.ts'
import type { Containerd } from '../../test/containers/containerd.ts'
import { SHELL_IMAGE } from '../../test/containers/images.ts'
import type { Beacons } from './pods.ts'

const OWNER = 'bare'

/** The same pods by calls to the engine, and nothing else: the limit of what can be had. */
export interface BarePods {
  /** Runs one. @returns how long until its first process ran, in milliseconds. */
  run(name: string, beacons: Beacons): Promise<number>
  /** Removes all that were run. */
  close(): Promise<void>
}

/** What a pod is that is made by hand. */
export function bareSandbox(name: string, folder: string): SandboxSpec {
  return { namespace: 'bare', name, uid: name, hostname: name, directory: folder }
}

/** Its container, which says in `beacons` that it runs. */
export function bareContainer(name: string, folder: string, beacons: string): ContainerSpec {
  return {
    name: 'main',
    attempt: 0,
    image: SHELL_IMAGE,
    command: ['sh', '-c', `: > /beacons/${name}; exec sleep 100000`],
    args: [],
    env: {},
    mounts: [{ volume: 'beacons', source: beacons, path: '/beacons', readOnly: false }],
    limits: {},
    logPath: join(folder, 'bare-logs', `${name}.log`),
    labels: {},
  }
}

/** By three calls each to containerd. */
export class BareCriPods implements BarePods {
  readonly #channel: GrpcChannel
  readonly #client: CriClient
  readonly #containerd: Containerd
  readonly #beacons: string
  readonly #made: string[] = []

  constructor(containerd: Containerd, beacons: string) {
    this.#channel = new GrpcChannel(containerd.socket)
    this.#client = new CriClient(this.#channel)
    this.#containerd = containerd
    this.#beacons = beacons
  }

  async run(name: string, beacons: Beacons): Promise<number> {
    const { cgroupRoot, folder } = this.#containerd
    const sandbox = bareSandbox(name, folder)
    const spec = bareContainer(name, folder, this.#beacons)
    const begin = performance.now()
    const sandboxed = sandboxConfig(sandbox, { owner: OWNER, cgroupRoot, attempt: 0 })
    const { podSandboxId } = await this.#client.call('RunPodSandbox', { config: sandboxed })
    this.#made.push(podSandboxId)
    const config = containerConfig(OWNER, sandbox, spec)
    const request = { podSandboxId, config, sandboxConfig: sandboxed }
    const { containerId } = await this.#client.call('CreateContainer', request)
    await this.#client.call('StartContainer', { containerId })
    return (await beacons.lit(name)) - begin
  }

  async close(): Promise<void> {
    for (const podSandboxId of this.#made) {
      await this.#client.call('StopPodSandbox', { podSandboxId }, 60_000)
      await this.#client.call('RemovePodSandbox', { podSandboxId }, 60_000)
    }
    this.#channel.close()
  }
}
