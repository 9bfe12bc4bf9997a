import type { ContainerSpec, SandboxSpec } from './index.ts'

/** What Kubernetes' own tools know pods and containers by. */
const POD_NAME = 'io.kubernetes.pod.name'
const POD_NAMESPACE = 'io.kubernetes.pod.namespace'
const POD_UID = 'io.kubernetes.pod.uid'
const CONTAINER_NAME = 'io.kubernetes.container.name'
/** Whose it is: an engine may have other clients, whose pods are left alone. */
const OWNER = 'tideway.io/owner'
/** What has to be known of it again after a restart. Labels would be too short for it. */
const SPEC = 'tideway.io/spec'

/** Labels, or annotations. */
type TextMap = Readonly<Record<string, string>>

/** What is kept with a container: everything of its spec that its status tells again. */
export type KeptContainer = Pick<ContainerSpec, 'image' | 'labels' | 'logPath'>

/** Selects what belongs to `owner`, or one pod of it. */
export function selectorOf(owner: string, podUid?: string): TextMap {
  return podUid === undefined ? { [OWNER]: owner } : { [OWNER]: owner, [POD_UID]: podUid }
}

/** The labels of a sandbox. */
export function sandboxLabels(owner: string, spec: SandboxSpec): TextMap {
  const { namespace, name, uid } = spec
  return { [OWNER]: owner, [POD_NAMESPACE]: namespace, [POD_NAME]: name, [POD_UID]: uid }
}

/** The labels of a container. */
export function containerLabels(owner: string, sandbox: SandboxSpec, name: string): TextMap {
  return { ...sandboxLabels(owner, sandbox), [CONTAINER_NAME]: name }
}

/** The pod that labels name; an empty text when they name none. */
export function podUidOf(labels: TextMap): string {
  return labels[POD_UID] ?? ''
}

/** Keeps a sandbox's spec with it. */
export function sandboxAnnotations(spec: SandboxSpec): TextMap {
  return { [SPEC]: JSON.stringify(spec) }
}

/** @returns the spec that was kept; undefined when it is damaged. */
export function sandboxSpecOf(annotations: TextMap): SandboxSpec | undefined {
  return parse(annotations[SPEC]) as SandboxSpec | undefined
}

/** Keeps what a container's status tells again with it. */
export function containerAnnotations({ image, labels, logPath }: KeptContainer): TextMap {
  return { [SPEC]: JSON.stringify({ image, labels, logPath }) }
}

/** @returns what was kept; nothing of it when it is damaged. */
export function keptContainerOf(annotations: TextMap): KeptContainer {
  const kept = parse(annotations[SPEC]) as Partial<KeptContainer> | undefined
  return { image: kept?.image ?? '', labels: kept?.labels ?? {}, logPath: kept?.logPath ?? '' }
}

function parse(text: string | undefined): unknown {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
