import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  buildKubernetes,
  cacheFolder,
  isProgram,
  kubernetesVersion,
} from '../cluster/build-program.ts'

/** Where go.mod says which kubelet is built. */
const MODULE = fileURLToPath(new URL('.', import.meta.url))

/** The reason to skip with where {@link findKubelet} finds none. */
export const KUBELET_HINT = 'run npm run test:kubelet:install, which needs Go'

/** The version of the kubelet in go.mod, such as `v1.34.4`. */
export function kubeletVersion(): Promise<string> {
  return kubernetesVersion(MODULE)
}

/** The kubelet, where it has been built. Looks only, builds nothing. */
export async function findKubelet(): Promise<string | undefined> {
  const path = await kubeletPath()
  return (await isProgram(path)) ? path : undefined
}

/**
 * Builds the kubelet, unless it is there.
 *
 * @param tell gets a line about each thing that is done.
 * @throws Error when Go is missing or fails.
 */
export async function installKubelet(
  tell: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const target = await kubeletPath()
  if (await isProgram(target)) return
  tell(`building kubelet ${await kubeletVersion()}; the first time this takes long`)
  await buildKubernetes(
    { module: MODULE, package: 'k8s.io/kubernetes/cmd/kubelet', target },
    signal,
  )
  tell(`kubelet is at ${target}`)
}

async function kubeletPath(): Promise<string> {
  return join(cacheFolder('kubelet', await kubeletVersion()), 'kubelet')
}
