import { join } from 'node:path'
import { consoleLogger, systemClock } from 'tideway'
import { EngineClient } from '../../src/adapters/runtime/engine/client.ts'
import { ContainerLogs } from '../../src/adapters/runtime/engine/container-logs.ts'
import { engineOf } from '../../src/adapters/runtime/engine/index.ts'
import { hasAllCapabilities } from '../../src/adapters/runtime/engine/machine.ts'
import type {
  CreateMessage,
  InfoMessage,
  VersionMessage,
} from '../../src/adapters/runtime/engine/messages.ts'
import {
  containerRequest,
  type RequestPlace,
  sandboxRequest,
} from '../../src/adapters/runtime/engine/requests.ts'
import type { Engine } from '../../test/containers/engine.ts'
import { PAUSE_IMAGE } from '../../test/containers/images.ts'
import { type BarePods, bareContainer, bareSandbox } from './bare.ts'
import type { Beacons } from './pods.ts'

const LOG_LIMITS = { fileBytesMax: 10 << 20, filesMax: 5 }
const NETWORK = 'bridge'
const CALL_MS = 4 * 60_000

/** The same pods by four calls each to Docker or Podman, and nothing else. */
export class BareEnginePods implements BarePods {
  readonly #client: EngineClient
  readonly #place: RequestPlace
  readonly #logs: ContainerLogs
  readonly #engine: Engine
  readonly #beacons: string
  /** Sandboxes and containers, those first that were made first. */
  readonly #made: string[] = []

  private constructor(
    engine: Engine,
    beacons: string,
    { dialect, prefix }: Pick<ReturnType<typeof engineOf>, 'dialect' | 'prefix'>,
  ) {
    const { socket, cgroupRoot } = engine
    this.#client = new EngineClient(socket, prefix)
    this.#place = { dialect, owner: 'bare', cgroupRoot, network: NETWORK }
    const logger = consoleLogger('silent')
    this.#logs = new ContainerLogs({ dialect, limits: LOG_LIMITS, clock: systemClock, logger })
    this.#engine = engine
    this.#beacons = beacons
  }

  static async open(engine: Engine, beacons: string): Promise<BareEnginePods> {
    const client = new EngineClient(engine.socket, '')
    try {
      const told = await client.call<VersionMessage>({ path: '/version' })
      const info = await client.call<InfoMessage>({ path: '/info' })
      const found = engineOf(told, info, engine.socket, await hasAllCapabilities())
      return new BareEnginePods(engine, beacons, found)
    } finally {
      client.close()
    }
  }

  async run(name: string, beacons: Beacons): Promise<number> {
    const { folder } = this.#engine
    const sandbox = bareSandbox(name, folder)
    const spec = bareContainer(name, folder, this.#beacons)
    const begin = performance.now()
    const sandboxId = await this.#start(await sandboxRequest(sandbox, PAUSE_IMAGE, 0, this.#place))
    const logConfig = this.#logs.configOf(join(folder, 'bare-logs', `${name}.log`))
    const place = { ...this.#place, sandboxId, sandbox, imageUser: '', logConfig }
    await this.#start(await containerRequest(spec, place))
    return (await beacons.lit(name)) - begin
  }

  async close(): Promise<void> {
    // What shares the namespaces of another one goes before it.
    for (const id of this.#made.reverse()) {
      const query = { force: true, v: true }
      await this.#client.tell({ method: 'DELETE', path: `/containers/${id}`, query })
    }
    await this.#logs.close()
    this.#client.close()
  }

  async #start(body: CreateMessage): Promise<string> {
    const path = '/containers/create'
    const made = await this.#client.call<{ readonly Id: string }>({
      ...{ method: 'POST', path, body, timeoutMs: CALL_MS },
    })
    this.#made.push(made.Id)
    await this.#client.tell({ path: `/containers/${made.Id}/start`, timeoutMs: CALL_MS })
    return made.Id
  }
}
