import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningProgram, startProgram } from '../cluster/process.ts'
import { networkConfig } from './containerd-config.ts'
import { askEngine } from './engine-api.ts'
import { dockerConfig, podmanConfig } from './engine-config.ts'
import type { Image } from './image.ts'
import { leftoversOf, outputOf } from './leftovers.ts'
import { cleanPlace, type EnginePlace, newPlace, type RunningEngine } from './place.ts'
import { aloneWithPodman } from './podman-locks.ts'

/** Which engine. */
export type EngineKind = 'docker' | 'podman'

/** Why tests are skipped without the engine, for the list of reviewed skips. */
export const ENGINE_REASONS: Readonly<Record<EngineKind, string>> = {
  docker: 'be root and install docker.io, runc, busybox-static and catatonit',
  podman:
    'be root and install podman, runc, containernetworking-plugins, busybox-static and catatonit',
}

/** A Docker or a Podman of one's own. */
export interface Engine extends RunningEngine {
  readonly kind: EngineKind
}

const PROGRAMS: Readonly<Record<EngineKind, readonly string[]>> = {
  docker: ['/usr/sbin/dockerd', '/usr/sbin/runc', '/usr/bin/busybox', '/usr/bin/catatonit'],
  podman: [
    '/usr/bin/podman',
    '/usr/sbin/runc',
    '/usr/lib/cni/bridge',
    '/usr/lib/cni/portmap',
    '/usr/bin/busybox',
    '/usr/bin/catatonit',
  ],
}
const READY_MS = 60_000

/** Whether this machine can run containers with it. */
export function hasEngine(kind: EngineKind): boolean {
  return process.getuid?.() === 0 && PROGRAMS[kind].every((path) => existsSync(path))
}

/**
 * Starts an engine that holds the images given.
 *
 * @param parent where its own folder is made, with all that it keeps. Default: where temporary files are.
 * @throws Error with the end of its log when it does not start.
 */
export async function startEngine(
  kind: EngineKind,
  images: readonly Image[] = [],
  parent?: string,
): Promise<Engine> {
  const letOthers = kind === 'podman' ? await aloneWithPodman() : async (): Promise<void> => {}
  const place = await newPlace(`${kind}-`, `${kind}.sock`, parent)
  const { folder, socket } = place
  const memory = parent === undefined ? undefined : await keepApart(folder)
  const words = kind === 'docker' ? await prepareDocker(place) : await preparePodman(place)
  let program: RunningProgram | undefined
  const start = async (): Promise<void> => {
    const [command = '', ...args] = words
    program = startProgram(kind, command, args, join(folder, 'engine.log'))
    const isUp = async (): Promise<boolean> =>
      (await askEngine(socket, 'GET', '/_ping').catch(() => undefined))?.status === 200
    await program.ready(isUp, READY_MS)
  }
  const self: Engine = {
    ...place,
    kind,
    get pid() {
      return program?.pid ?? -1
    },
    async load(image) {
      const { status, body } = await askEngine(socket, 'POST', '/images/load', image.archive)
      if (status !== 200) throw new Error(`${kind} did not take the image ${image.name}: ${body}`)
    },
    async kill() {
      if (program === undefined) return
      process.kill(program.pid, 'SIGKILL')
      await program.stop()
      program = undefined
      // Its containerd ended with it, and may be a zombie, which the next one would take for alive.
      await rm(join(folder, 'exec', 'containerd', 'containerd.pid'), { force: true })
    },
    start,
    leftovers: () => leftoversOf(place),
    async close() {
      if (program !== undefined) await removeContainers(socket).catch(() => undefined)
      await program?.stop()
      program = undefined
      await cleanPlace(place)
      if (memory !== undefined) await rm(memory, { recursive: true, force: true })
      await letOthers()
    },
  }
  try {
    await start()
    for (const image of images) await self.load(image)
  } catch (error) {
    await self.close()
    throw error
  }
  return self
}

/**
 * What podman keeps in `/run` is on no disk: without a place for its exit codes it takes what has ended for
 * running, for ever.
 *
 * @returns where that is, to be removed.
 */
async function keepApart(folder: string): Promise<string> {
  const memory = await mkdtemp(join(tmpdir(), 'engine-run-'))
  for (const name of ['tmp', 'run']) {
    await mkdir(join(memory, name))
    await symlink(join(memory, name), join(folder, name))
  }
  return memory
}

/** @returns how it is started. */
async function prepareDocker(place: EnginePlace): Promise<readonly string[]> {
  const { folder, bridge, network } = place
  await outputOf('ip', 'link', 'add', bridge, 'type', 'bridge')
  await outputOf('ip', 'addr', 'add', `${network}.1/24`, 'dev', bridge)
  await outputOf('ip', 'link', 'set', bridge, 'up')
  const config = join(folder, 'daemon.json')
  await writeFile(config, dockerConfig(place))
  return ['/usr/sbin/dockerd', '--config-file', config]
}

/** @returns how it is started. */
async function preparePodman(place: EnginePlace): Promise<readonly string[]> {
  const { folder, socket } = place
  for (const [name, text] of Object.entries(podmanConfig(place)))
    await writeFile(join(folder, name), text)
  await mkdir(join(folder, 'cni'))
  await writeFile(join(folder, 'cni', '10-pods.conflist'), networkConfig(place))
  return [
    '/usr/bin/env',
    `CONTAINERS_CONF=${join(folder, 'containers.conf')}`,
    `CONTAINERS_STORAGE_CONF=${join(folder, 'storage.conf')}`,
    `CONTAINERS_REGISTRIES_CONF=${join(folder, 'registries.conf')}`,
    '/usr/bin/podman',
    'system',
    'service',
    '--time=0',
    `unix://${socket}`,
  ]
}

async function removeContainers(socket: string): Promise<void> {
  const { body } = await askEngine(socket, 'GET', '/containers/json?all=1')
  const ids = (JSON.parse(body) as readonly { readonly Id: string }[]).map(({ Id }) => Id)
  for (const id of ids) await askEngine(socket, 'POST', `/containers/${id}/kill?signal=KILL`)
  // What shares the namespaces of another one goes before it: the newest are listed first.
  for (const id of ids) await askEngine(socket, 'DELETE', `/containers/${id}?force=1&v=1`)
}
