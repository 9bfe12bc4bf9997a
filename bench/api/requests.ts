import { samplePod } from '../pod.ts'
import type { ApiRequest } from './client.ts'

/** What kubectl asks for when it lists. */
export const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

export function createNamespace(name: string): ApiRequest {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  return { method: 'POST', path: '/api/v1/namespaces', body }
}

/** A pod as its users send it: whose it is and how it does is for others to say. */
export function createPod(namespace: string, index: number): ApiRequest {
  const { metadata, spec, ...pod } = samplePod(index) as Record<string, Record<string, unknown>>
  const { labels, annotations } = metadata ?? {}
  const { nodeName: _none, serviceAccountName: _default, ...rest } = spec ?? {}
  const body = {
    apiVersion: pod['apiVersion'],
    kind: pod['kind'],
    metadata: { name: podName(index), labels, annotations },
    spec: rest,
  }
  return { method: 'POST', path: `/api/v1/namespaces/${namespace}/pods`, body }
}

let edits = 0

export function patchPod(index: number): ApiRequest {
  edits += 1
  return {
    method: 'PATCH',
    path: podPath(index),
    contentType: 'application/merge-patch+json',
    body: { metadata: { labels: { edit: `e${edits}` } } },
  }
}

export function applyPod(index: number): ApiRequest {
  edits += 1
  return {
    method: 'PATCH',
    path: `${podPath(index)}?fieldManager=bench&force=true`,
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: podName(index), annotations: { applied: `a${edits}` } },
    },
  }
}

/** The same list, so many times. */
export function listPods(count: number, namespace: string, accept?: string): ApiRequest[] {
  const path = `/api/v1/namespaces/${namespace}/pods`
  return numbers(count).map(() => ({ path, ...(accept === undefined ? {} : { accept }) }))
}

function podName(index: number): string {
  return `web-${String(index).padStart(5, '0')}`
}

function podPath(index: number): string {
  return `/api/v1/namespaces/some/pods/${podName(index)}`
}

export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

export function getPod(index: number): ApiRequest {
  return { path: podPath(index) }
}
