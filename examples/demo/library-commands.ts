import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node'
import { parseAllDocuments } from 'yaml'
import type { KubeCommands } from './kube-commands.ts'

const NAMESPACE = 'default'
const MERGE = setHeaderOptions('Content-Type', PatchStrategy.MergePatch)

/** The requests of the story by @kubernetes/client-node, where there is no kubectl. */
export const libraryCommands: KubeCommands = {
  about: 'by @kubernetes/client-node, as there is no kubectl here; the requests are the same',
  apply: async (kubeconfig, directory) => {
    const api = KubernetesObjectApi.makeApiClient(load(kubeconfig))
    const lines: string[] = []
    for (const object of await readManifests(directory)) {
      await api.patch(object, undefined, undefined, 'demo', true, PatchStrategy.ServerSideApply)
      lines.push(`${object.kind?.toLowerCase()}/${object.metadata?.name} applied`)
    }
    return lines.join('\n')
  },
  patchConfigMap: async (kubeconfig, name, fields) => {
    const api = load(kubeconfig).makeApiClient(CoreV1Api)
    await api.patchNamespacedConfigMap(
      { name, namespace: NAMESPACE, body: { data: fields } },
      MERGE,
    )
    return `configmap/${name} patched`
  },
  scale: async (kubeconfig, name, replicas) => {
    const api = load(kubeconfig).makeApiClient(AppsV1Api)
    await api.patchNamespacedReplicaSetScale(
      { name, namespace: NAMESPACE, body: { spec: { replicas } } },
      MERGE,
    )
    return `replicaset.apps/${name} scaled`
  },
  logs: (kubeconfig, name, tailLines) =>
    load(kubeconfig)
      .makeApiClient(CoreV1Api)
      .readNamespacedPodLog({ name, namespace: NAMESPACE, tailLines }),
  getPods: async (kubeconfig) => {
    const { items } = await load(kubeconfig)
      .makeApiClient(CoreV1Api)
      .listNamespacedPod({ namespace: NAMESPACE })
    const rows = items.map(({ metadata, spec, status }) => {
      const restarts = status?.containerStatuses?.[0]?.restartCount ?? 0
      return [metadata?.name ?? '', status?.phase ?? '', String(restarts), spec?.nodeName ?? '']
    })
    const table = [['NAME', 'STATUS', 'RESTARTS', 'NODE'], ...rows]
    return table
      .map((row) =>
        row
          .map((cell) => cell.padEnd(22))
          .join('')
          .trimEnd(),
      )
      .join('\n')
  },
}

function load(kubeconfig: string): KubeConfig {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  return config
}

async function readManifests(directory: string): Promise<readonly KubernetesObject[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  const documents = texts.flatMap((text) => [...parseAllDocuments(text)])
  return documents.map((document) => withNamespace(document.toJS() as KubernetesObject))
}

function withNamespace(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { namespace: NAMESPACE, ...object.metadata } }
}
