import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonObject } from '../kubernetes/objects/types.ts'
import type { Mount } from '../runtime/index.ts'
import { writeAtomicDirectory } from './atomic-directory.ts'
import { type ConfigSource, isVariableName } from './env.ts'
import { expand } from './expansion.ts'
import type { FieldContext } from './fields.ts'
import { prepareHostPath } from './host-path.ts'
import { asObject, asText } from './json.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { hasFiles, volumeFiles } from './volume-files.ts'

/** One volume that cannot be set up, in kubelet's words. */
export interface VolumeFailure {
  readonly volume: string
  readonly message: string
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
): Promise<readonly VolumeFailure[]> {
  const failures: VolumeFailure[] = []
  for (const volume of pod.volumes) {
    const name = asText(volume['name']) ?? ''
    const message = await prepareVolume(volume, name, podDirectory, source, fields)
    if (message !== undefined) {
      failures.push({
        volume: name,
        message: `MountVolume.SetUp failed for volume "${name}" : ${message}`,
      })
    }
  }
  return failures
}

async function prepareVolume(
  volume: JsonObject,
  name: string,
  podDirectory: string,
  source: ConfigSource,
  fields: FieldContext,
): Promise<string | undefined> {
  // The name becomes a directory.
  if (!isVariableName(name) || name.startsWith('.')) return 'the name of the volume is invalid'
  const directory = volumeDirectory(podDirectory, name)
  if (volume['hostPath'] !== undefined) return await prepareHostPath(asObject(volume['hostPath']))
  if (hasFiles(volume)) {
    const result = volumeFiles(volume, source, fields)
    if (result.type === 'missing') {
      // What was there before stays there: a pod that runs does not lose its files.
      return (await isThere(join(directory, '..data'))) ? undefined : result.message
    }
    await writeAtomicDirectory(directory, result.files)
    return undefined
  }
  const others = Object.keys(volume).filter((key) => key !== 'name' && key !== 'emptyDir')
  if (others.length > 0)
    return `volumes of type ${others.join(', ')} are not supported on this node`
  // A volume without any type is an emptyDir.
  await mkdir(directory, { recursive: true, mode: 0o777 })
  return undefined
}

/** Where each volume of a container is, or why that cannot be said. */
export async function containerMounts(
  pod: PodView,
  container: ContainerView,
  podDirectory: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly mounts: readonly Mount[]; readonly problem?: string }> {
  const mounts: Mount[] = []
  for (const each of container.volumeMounts) {
    const name = asText(each['name']) ?? ''
    const path = asText(each['mountPath']) ?? ''
    const volume = pod.volumes.find((candidate) => candidate['name'] === name)
    if (volume === undefined) return { mounts, problem: `volume "${name}" is not in the pod` }
    const subPath = expand(asText(each['subPathExpr']) ?? asText(each['subPath']) ?? '', env)
    const isOutside = subPath.startsWith('/') || subPath.split('/').includes('..')
    if (isOutside) return { mounts, problem: `subPath ${JSON.stringify(subPath)} is invalid` }
    const base = asText(asObject(volume['hostPath'])['path']) ?? volumeDirectory(podDirectory, name)
    const source = subPath === '' ? base : join(base, subPath)
    if (subPath !== '' && !hasFiles(volume) && !(await isThere(source))) {
      await mkdir(source, { recursive: true, mode: 0o750 })
    }
    const readOnly = each['readOnly'] === true || hasFiles(volume)
    mounts.push({ volume: name, source, path, readOnly })
  }
  return { mounts }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/** Removes everything that a pod has on this machine but hostPath volumes. */
export async function removePodDirectory(podDirectory: string): Promise<void> {
  await rm(podDirectory, { recursive: true, force: true })
}
