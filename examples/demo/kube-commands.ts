import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { libraryCommands } from './library-commands.ts'

/** The commands of the story, whatever carries them out. Each gives what is worth showing. */
export interface KubeCommands {
  /** Said once: what carries the commands out. */
  readonly about: string
  apply(kubeconfig: string, directory: string): Promise<string>
  /** Merges fields into the `data` of a config map. */
  patchConfigMap(
    kubeconfig: string,
    name: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<string>
  scale(kubeconfig: string, replicaSet: string, replicas: number): Promise<string>
  logs(kubeconfig: string, pod: string, tail: number): Promise<string>
  getPods(kubeconfig: string): Promise<string>
}

const run = promisify(execFile)
const OUTPUT_BYTES_MAX = 16 << 20

/** kubectl where it is installed, and otherwise the same requests by @kubernetes/client-node. */
export async function findCommands(cacheDirectory: string): Promise<KubeCommands> {
  const program = process.env['KUBECTL'] ?? 'kubectl'
  const version = await run(program, ['version', '--client', '-o', 'json']).then(
    ({ stdout }) =>
      (JSON.parse(stdout) as { clientVersion?: { gitVersion?: string } }).clientVersion?.gitVersion,
    () => undefined,
  )
  if (version === undefined) return libraryCommands
  return kubectlCommands(program, version, cacheDirectory)
}

function kubectlCommands(program: string, version: string, cacheDirectory: string): KubeCommands {
  const kubectl = async (kubeconfig: string, ...args: readonly string[]): Promise<string> => {
    const fixed = ['--kubeconfig', kubeconfig, '--cache-dir', cacheDirectory]
    const { stdout } = await run(program, [...fixed, ...args], { maxBuffer: OUTPUT_BYTES_MAX })
    return stdout.trimEnd()
  }
  return {
    about: `by ${program} ${version}`,
    apply: (kubeconfig, directory) => kubectl(kubeconfig, 'apply', '-f', directory),
    patchConfigMap: (kubeconfig, name, fields) =>
      kubectl(
        kubeconfig,
        'patch',
        'configmap',
        name,
        '--type',
        'merge',
        '-p',
        JSON.stringify({ data: fields }),
      ),
    scale: (kubeconfig, set, replicas) =>
      kubectl(kubeconfig, 'scale', 'replicaset', set, `--replicas=${replicas}`),
    logs: (kubeconfig, pod, tail) => kubectl(kubeconfig, 'logs', pod, `--tail=${tail}`),
    getPods: (kubeconfig) => kubectl(kubeconfig, 'get', 'pods', '-o', 'wide'),
  }
}
