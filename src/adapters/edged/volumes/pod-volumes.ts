import { chmod, mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import type { Mount } from '../../runtime/index.ts'
import { type ConfigSource, isVariableName } from '../environment/env.ts'
import type { FieldContext } from '../environment/fields.ts'
import { asObject, asText } from '../json.ts'
import { fsGroupOf } from '../pod-security.ts'
import { allContainers, type ContainerView, type PodView } from '../pod-view.ts'
import { writeAtomicDirectory } from './atomic-directory.ts'
import { prepareHostPath } from './host-path.ts'
import { MEMORY_MODE, memoryVolumeBytes, mountMemory, unmountBelow } from './memory-volume.ts'
import { findBelow, subPathOf } from './sub-path.ts'
import { hasFiles, isKeptInMemory, volumeFiles } from './volume-files.ts'
import { belongsTo, giveToGroup } from './volume-group.ts'

/** One volume that cannot be set up, in kubelet's words. */
export interface VolumeFailure {
  readonly volume: string
  readonly message: string
}

/** What came of the volumes of a pod. */
export interface PreparedVolumes {
  readonly failures: readonly VolumeFailure[]
  /** Volumes that should be in memory and have just been made on the disk. */
  readonly onDisk: readonly string[]
}

/** The directory of one volume. */
export function volumeDirectory(podDirectory: string, volume: string): string {
  return join(podDirectory, 'volumes', volume)
}

/**
 * Brings the volumes of a pod to what it and the objects it refers to say now. Safe to repeat: that
 * is how an updated config map gets to a running pod.
 */
export async function prepareVolumes(
  pod: PodView,
  podDirectory: string,
  source: ConfigSource,
  fields: FieldContext,
): Promise<PreparedVolumes> {
  const failures: VolumeFailure[] = []
  const onDisk: string[] = []
  const used = new Set(
    allContainers(pod)
      .flatMap((each) => each.volumeMounts)
      .map(volumeOf),
  )
  for (const volume of pod.volumes) {
    const name = asText(volume['name']) ?? ''
    if (!used.has(name)) continue
    const directory = volumeDirectory(podDirectory, name)
    const isNew = !(await isThere(directory))
    const message = await prepareVolume(volume, name, directory, source, fields)
    if (message === ON_DISK) {
      if (isNew) onDisk.push(name)
      continue
    }
    if (message !== undefined) {
      failures.push({
        volume: name,
        message: `MountVolume.SetUp failed for volume "${name}" : ${message}`,
      })
    }
  }
  return { failures, onDisk }
}

function volumeOf(mount: JsonObject): string {
  return asText(mount['name']) ?? ''
}

/** A volume that can be used, though it is not where it should be. */
const ON_DISK = Symbol('on disk')

async function prepareVolume(
  volume: JsonObject,
  name: string,
  directory: string,
  source: ConfigSource,
  fields: FieldContext,
): Promise<string | typeof ON_DISK | undefined> {
  // The name becomes a directory.
  if (!isVariableName(name) || name.startsWith('.')) return 'the name of the volume is invalid'
  if (volume['hostPath'] !== undefined) return await prepareHostPath(asObject(volume['hostPath']))
  if (hasFiles(volume)) {
    const result = volumeFiles(volume, source, fields)
    if (result.type === 'missing') {
      // What was there before stays there: a pod that runs does not lose its files.
      return (await isThere(join(directory, '..data'))) ? undefined : result.message
    }
    const gid = fsGroupOf(fields.pod)
    const group = gid === undefined ? undefined : { gid, isWritable: false }
    const isNews = await writeAtomicDirectory(directory, result.files, group, modeOf(volume))
    if (isNews && group !== undefined) await giveToGroup(directory, group)
    return undefined
  }
  const others = Object.keys(volume).filter((key) => key !== 'name' && key !== 'emptyDir')
  if (others.length > 0)
    return `volumes of type ${others.join(', ')} are not supported on this node`
  // A volume without any type is an emptyDir.
  return await prepareEmptyDir(directory, asObject(volume['emptyDir']), fields)
}

/** Not by the option of mkdir: the umask would take bits away. */
const DISK_MODE = 0o777

function modeOf(volume: JsonObject): number {
  return isKeptInMemory(volume) ? MEMORY_MODE : DISK_MODE
}

async function prepareEmptyDir(
  directory: string,
  emptyDir: JsonObject,
  fields: FieldContext,
): Promise<typeof ON_DISK | undefined> {
  const isMade = (await mkdir(directory, { recursive: true })) !== undefined
  if (isMade) await chmod(directory, DISK_MODE)
  const capacityBytes = parseWhole(fields.allocatable['memory']) ?? 0
  const isInMemory = emptyDir['medium'] === 'Memory'
  const size = memoryVolumeBytes(emptyDir, fields.pod, capacityBytes)
  const place = isInMemory ? await mountMemory(directory, size) : 'in memory'
  const gid = fsGroupOf(fields.pod)
  const group = gid === undefined ? undefined : { gid, isWritable: true }
  // Once: what containers have written since is theirs.
  if (group !== undefined && !(await belongsTo(directory, group))) {
    await giveToGroup(directory, group)
  }
  return place === 'on disk' ? ON_DISK : undefined
}

/** What is mounted below a volume later on stays where it was mounted, unless a mount says else. */
const PROPAGATIONS: Readonly<Record<string, Pick<Mount, 'propagation'>>> = {
  HostToContainer: { propagation: 'hostToContainer' },
  Bidirectional: { propagation: 'bidirectional' },
}

/**
 * Where each volume of a container is, or why that cannot be said.
 *
 * @param env its variables; nothing is made below a volume while they are not known yet.
 */
export async function containerMounts(
  pod: PodView,
  container: ContainerView,
  podDirectory: string,
  env: Readonly<Record<string, string>> | undefined,
): Promise<{ readonly mounts: readonly Mount[]; readonly problem?: string }> {
  const mounts: Mount[] = []
  for (const each of container.volumeMounts) {
    const name = volumeOf(each)
    const path = asText(each['mountPath']) ?? ''
    const volume = pod.volumes.find((candidate) => candidate['name'] === name)
    if (volume === undefined) return { mounts, problem: `volume "${name}" is not in the pod` }
    if (asText(each['recursiveReadOnly']) === 'Enabled')
      return { mounts, problem: noRecursion(name) }
    const base = asText(asObject(volume['hostPath'])['path']) ?? volumeDirectory(podDirectory, name)
    const below = subPathOf(each, env)
    if (below.problem !== undefined) return { mounts, problem: below.problem }
    let source = join(base, below.path)
    if (env !== undefined && below.path !== '') {
      const found = await findBelow(base, source, !hasFiles(volume))
      if (found === undefined) return { mounts, problem: unprepared(name, container) }
      // No container writes to what has files, and past its links they are replaced when they change.
      if (!hasFiles(volume)) source = found
    }
    const readOnly = each['readOnly'] === true || hasFiles(volume)
    const propagation = PROPAGATIONS[asText(each['mountPropagation']) ?? '']
    mounts.push({ volume: name, source, path, readOnly, ...propagation })
  }
  return { mounts }
}

function noRecursion(volume: string): string {
  return `failed to resolve recursive read-only mode: volume "${volume}" requested recursive read-only mode, but it is not supported by the runtime`
}

function unprepared(volume: string, { name }: ContainerView): string {
  return `failed to prepare subPath for volumeMount "${volume}" of container "${name}"`
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/** Removes what a pod that has ended has in its volumes, hostPath ones aside. */
export async function removeVolumes(podDirectory: string): Promise<void> {
  const directory = join(podDirectory, 'volumes')
  if (!(await isThere(directory))) return
  await unmountBelow(directory)
  await rm(directory, { recursive: true, force: true })
}

/** Removes everything that a pod has on this machine but hostPath volumes. */
export async function removePodDirectory(podDirectory: string): Promise<void> {
  await unmountBelow(podDirectory)
  await rm(podDirectory, { recursive: true, force: true })
}
