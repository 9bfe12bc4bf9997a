import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningProgram, startProgram } from '../cluster/process.ts'
import { containerdConfig, networkConfig } from './containerd-config.ts'
import { SYSTEM_CONTAINERD } from './containerd-program.ts'
import type { Image } from './image.ts'
import { PAUSE_IMAGE, pauseImage } from './images.ts'
import { leftoversOf, outputOf } from './leftovers.ts'
import { cleanPlace, clearMachine, newPlace, type RunningEngine } from './place.ts'

export { CONTAINERD_REASON, hasContainerd } from './containerd-program.ts'

/** A containerd of one's own, which knows its images for the CRI. */
export interface Containerd extends RunningEngine {
  /**
   * What a power cut leaves of it: its disk. It ends with its pods, whose networks and mounts are gone like
   * what it kept in memory. The processes of its pods are ended before, by those who know their cgroups.
   */
  cutPower(): Promise<void>
}

const READY_MS = 30_000
const NAMESPACE = 'k8s.io'

/**
 * Starts a containerd that holds the pause image and those given.
 *
 * @param programs the folder of containerd, its shim and its ctr.
 * @param parent where its own folder is made, with all that it keeps. Default: where temporary files are.
 * @throws Error with the end of its log when it does not start.
 */
export async function startContainerd(
  images: readonly Image[] = [],
  programs: string = SYSTEM_CONTAINERD,
  parent?: string,
): Promise<Containerd> {
  const place = await newPlace('ctd-', 'containerd.sock', parent)
  const { folder } = place
  await mkdir(join(folder, 'cni'))
  const config = join(folder, 'config.toml')
  await writeFile(config, containerdConfig(place, PAUSE_IMAGE))
  await writeFile(join(folder, 'cni', '10-pods.conflist'), networkConfig(place))
  let program: RunningProgram | undefined
  const ctr = (...args: readonly string[]): Promise<string> =>
    outputOf(join(programs, 'ctr'), '-a', place.socket, '-n', NAMESPACE, ...args)
  const start = async (): Promise<void> => {
    const log = join(folder, 'containerd.log')
    // It looks for its shim there first.
    const path = `PATH=${programs}:${process.env['PATH'] ?? ''}`
    const words = [path, join(programs, 'containerd'), '--config', config]
    program = startProgram('containerd', '/usr/bin/env', words, log)
    const isUp = async (): Promise<boolean> => (await ctr('version')).includes('Server')
    await program.ready(isUp, READY_MS)
  }
  const self: Containerd = {
    ...place,
    get pid() {
      return program?.pid ?? -1
    },
    async load(image) {
      const path = join(folder, `${image.id.slice(-12)}.tar`)
      await writeFile(path, image.archive)
      const said = await ctr('images', 'import', path)
      await rm(path)
      if (said === '') throw new Error(`containerd did not take the image ${image.name}`)
    },
    async kill() {
      if (program === undefined) return
      process.kill(program.pid, 'SIGKILL')
      await program.stop()
      program = undefined
    },
    async cutPower() {
      await self.kill()
      await clearMachine(place)
      await rm(join(folder, 'state'), { recursive: true, force: true })
    },
    start,
    leftovers: () => leftoversOf(place),
    async close() {
      if (program !== undefined) await removeContainers(ctr)
      await program?.stop()
      program = undefined
      await cleanPlace(place)
    },
  }
  try {
    await start()
    for (const image of [pauseImage(), ...images]) await self.load(image)
  } catch (error) {
    await self.close()
    throw error
  }
  return self
}

/** Runs something with a containerd, which is gone afterwards, however it ends. */
export async function withContainerd<T>(
  images: readonly Image[],
  use: (containerd: Containerd) => Promise<T>,
): Promise<T> {
  const containerd = await startContainerd(images)
  try {
    return await use(containerd)
  } finally {
    await containerd.close()
  }
}

async function removeContainers(
  ctr: (...args: readonly string[]) => Promise<string>,
): Promise<void> {
  const names = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await ctr(...args)).split('\n').filter((line) => line !== '')
  for (const id of await names('tasks', 'ls', '-q')) {
    await ctr('tasks', 'kill', '-a', '-s', 'SIGKILL', id)
  }
  for (const id of await names('tasks', 'ls', '-q')) await ctr('tasks', 'rm', '-f', id)
  for (const id of await names('containers', 'ls', '-q')) await ctr('containers', 'rm', id)
}
