import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { until as awaited } from '../../integration/fleet-programs.ts'
import type { Moment, PodCase, Step } from './case-files.ts'
import { type NodeSide, outputOf } from './node-side.ts'
import { Normalizer } from './normalize.ts'

/** What there is to see of a pod at one moment. */
export interface PodAnswer {
  /** Undefined when the pod is gone. */
  readonly status: unknown
  /** By the part of the pod that they are about; in the order in which they were first told. */
  readonly events: Readonly<Record<string, readonly unknown[]>>
  /** What was written, by container and run. */
  readonly output: Readonly<Record<string, string>>
  /** What the API shows of a pod that comes from a file. */
  readonly shown?: unknown
}

/** How a settled pod is told from one that is on its way. */
export type Settled = (step: number, look: () => Promise<PodAnswer>) => Promise<PodAnswer>

const WAIT_MS = 60_000
const PODS = '/api/v1/namespaces/default/pods'
const TOKEN = 'token-of-root'

/**
 * Does what a case says on a node.
 *
 * @param settled waits, where a moment has come, until nothing more is to come.
 * @returns what there was to see at the end of each step.
 */
export async function runCase(
  given: PodCase,
  side: NodeSide,
  settled: Settled,
): Promise<readonly PodAnswer[]> {
  for (const object of given.objects) await write(side, object)
  const answers: PodAnswer[] = []
  let pod = await begin(given, side)
  for (const [index, step] of given.steps.entries()) {
    await act(given, side, step)
    const look = (): Promise<PodAnswer> => lookAt(side, given, pod)
    const came = async (): Promise<boolean> => {
      pod = podOf(side, given.shownAs) ?? pod
      return await hasCome(step, side, pod)
    }
    await awaited(`step ${index} of ${given.name}`, came, WAIT_MS).catch(async (error: unknown) => {
      const seen = JSON.stringify(await look())
      throw new Error(`step ${index} of ${given.name} did not come: ${seen}`, { cause: error })
    })
    answers.push(await settled(index, look))
  }
  return answers
}

/** Takes a pod away at once, and those beside it. */
export async function removeCase(given: PodCase, side: NodeSide): Promise<void> {
  for (const { kind, metadata } of given.objects) {
    const path = `${PODS}/${metadata.name}`
    if (kind === 'Pod') await send(side, 'DELETE', path, { gracePeriodSeconds: 1 })
  }
  if (podOf(side, given.shownAs) === undefined) return
  if (given.isStatic) await rm(fileOf(given, side), { force: true })
  else await send(side, 'DELETE', `${PODS}/${given.name}`, { gracePeriodSeconds: 1 })
  const isGone = (): boolean => podOf(side, given.shownAs) === undefined
  await awaited(`${given.name} being gone`, isGone, WAIT_MS)
}

/** Has the node run the pod. @returns what the API shows of it. */
async function begin(given: PodCase, side: NodeSide): Promise<KubeObject> {
  if (!given.isStatic) return await send(side, 'POST', PODS, given.pod)
  const path = fileOf(given, side)
  const ahead = join(dirname(path), `.${basename(path)}`)
  await writeFile(ahead, JSON.stringify(given.pod))
  await rename(ahead, path)
  return await awaited(`${given.name} being shown`, () => podOf(side, given.shownAs), WAIT_MS)
}

function fileOf({ name }: PodCase, { manifests }: NodeSide): string {
  return join(manifests, `${name}.json`)
}

async function act(given: PodCase, side: NodeSide, step: Step): Promise<void> {
  const path = `${PODS}/${given.shownAs}`
  for (const object of step.write ?? []) await write(side, object)
  const part = step.part === undefined ? '' : `/${step.part}`
  if (step.patch !== undefined) await send(side, 'PATCH', `${path}${part}`, step.patch)
  if (step.delete !== true) return
  if (given.isStatic) await rm(fileOf(given, side))
  else await send(side, 'DELETE', path, {})
}

async function write(side: NodeSide, object: KubeObject): Promise<void> {
  const resource = `${object.kind.toLowerCase()}s`
  const { namespace, name } = object.metadata
  const path = `/api/v1/namespaces/${namespace}/${resource}`
  if (side.store.get({ resource, namespace, name }) === undefined) {
    await send(side, 'POST', path, object)
  } else {
    await send(side, 'PUT', `${path}/${name}`, object)
  }
}

async function send(
  side: NodeSide,
  method: string,
  path: string,
  body: unknown,
): Promise<KubeObject> {
  const type = method !== 'PATCH' ? 'application/json' : patchTypeOf(path)
  const {
    code,
    body: answer,
    message,
  } = await side.server.call(method, path, {
    token: TOKEN,
    body,
    type,
  })
  if (code >= 300) throw new Error(`${method} ${path} was answered with ${code}: ${message}`)
  return answer as unknown as KubeObject
}

/** Conditions are of several authors: each writes its own. */
function patchTypeOf(path: string): string {
  const kind = path.endsWith('/status') ? 'strategic-merge' : 'merge'
  return `application/${kind}-patch+json`
}

function podOf({ store }: NodeSide, name: string): KubeObject | undefined {
  return store.get({ resource: 'pods', namespace: 'default', name })
}

async function hasCome(moment: Moment, side: NodeSide, pod: KubeObject): Promise<boolean> {
  const now = podOf(side, pod.metadata.name)
  if (moment.until === 'gone' ? now !== undefined : !fits(moment.until, now)) return false
  const reasons = eventsOf(side, pod).flatMap((event) =>
    Array<string>(Number(event['count'] ?? 1)).fill(String(event['reason'])),
  )
  for (const reason of moment.told ?? []) {
    const index = reasons.indexOf(reason)
    if (index < 0) return false
    reasons.splice(index, 1)
  }
  if (moment.says === undefined) return true
  return Object.values(await outputIn(side, pod))
    .join('\n')
    .includes(moment.says)
}

/** Whether everything that is named is there, and as it is named. */
function fits(pattern: unknown, value: unknown): boolean {
  if (typeof pattern !== 'object' || pattern === null) {
    return pattern === undefined || Object.is(pattern, value)
  }
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(pattern).every(([key, below]) =>
    fits(below, (value as Record<string, unknown>)[key]),
  )
}

/** What was told of a pod, in the order in which it was first told. */
function eventsOf({ store, told }: NodeSide, pod: KubeObject): readonly KubeObject[] {
  const isAbout = (event: KubeObject): boolean =>
    (event['involvedObject'] as { readonly uid?: string }).uid === ownUid(pod)
  const placeOf = ({ metadata }: KubeObject): number => told.get(metadata.name) ?? 0
  const { items } = store.list('events')
  return items.filter(isAbout).sort((a, b) => placeOf(a) - placeOf(b))
}

function outputIn(side: NodeSide, pod: KubeObject): Promise<Readonly<Record<string, string>>> {
  return outputOf(side, { name: pod.metadata.name, uid: ownUid(pod) })
}

/** By what the node knows it: a pod from a file is shown under another uid. */
function ownUid({ metadata }: KubeObject): string {
  return metadata.annotations?.['kubernetes.io/config.hash'] ?? metadata.uid ?? ''
}

async function lookAt(side: NodeSide, given: PodCase, last: KubeObject): Promise<PodAnswer> {
  const now = podOf(side, given.shownAs)
  const normalizer = new Normalizer(now ?? last, side)
  const events: Record<string, unknown[]> = {}
  for (const event of eventsOf(side, last)) {
    const { fieldPath = '' } = event['involvedObject'] as { readonly fieldPath?: string }
    events[fieldPath] ??= []
    events[fieldPath].push(normalizer.event(event, given.uncounted))
  }
  // Of a pod that is gone, logs go when somebody has the time.
  const output = given.isQuiet || now === undefined ? {} : await outputIn(side, last)
  const { isStatic } = given
  const shown = isStatic && now !== undefined ? { shown: shownOf(now) } : {}
  const answer = { status: now?.['status'], events, output, ...shown }
  return normalizer.normalize(answer) as PodAnswer
}

function shownOf({ metadata, ...pod }: KubeObject): unknown {
  const { labels, annotations, finalizers, name, namespace } = metadata
  const owners = metadata['ownerReferences']
  return { labels, annotations, owners, finalizers, name, namespace, spec: pod['spec'] }
}
