import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { parse } from 'yaml'
import { SHELL_IMAGE } from '../../containers/images.ts'
import { NODE } from './node-side.ts'

const FOLDER = fileURLToPath(new URL('cases/', import.meta.url))

/** What a pod is waited for: the case is looked at when all of it holds. */
export interface Moment {
  /** A part of the pod: what is named has to be there, lists member by member. */
  readonly until?: unknown
  /** Reasons of events that have been told. A reason twice is told twice, or counted. */
  readonly told?: readonly string[]
  /** What comes after it is not waited for: it does not last. */
  readonly passes?: boolean
  /** What the output of some container has to contain. */
  readonly says?: string
}

/** Something that is done to a case, and what is waited for then. */
export interface Step extends Moment {
  readonly delete?: boolean
  /** Objects that are written: made, or their data replaced. */
  readonly write?: readonly KubeObject[]
  /** A merge patch of the pod. */
  readonly patch?: Readonly<Record<string, unknown>>
  /** The part of the pod that is patched. Default: the pod itself. */
  readonly part?: 'ephemeralcontainers' | 'resize' | 'status'
}

/** One pod that kubelet and edged are to treat alike. */
export interface PodCase {
  /** Also that of the pod, where it does not come from a file. */
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly pod: KubeObject
  /** The pod comes from a file of the node; the API shows it by {@link PodCase.shownAs}. */
  readonly isStatic: boolean
  /** The name of the pod in the API. */
  readonly shownAs: string
  /** The first one begins with the pod itself. */
  readonly steps: readonly Step[]
  /** Reasons of events whose number depends on the time that has passed. */
  readonly uncounted: readonly string[]
  /** Runs whose output is not compared, as it is not the same twice. */
  readonly isQuiet: boolean
}

interface Entry extends Moment {
  readonly name: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly pod: Readonly<Record<string, unknown>>
  readonly objects?: readonly KubeObject[]
  readonly then?: readonly Step[]
  readonly uncounted?: readonly string[]
  readonly quiet?: boolean
  readonly static?: boolean
}

/** What cases are to be about that is known only when they are run. */
export interface CasePlaces {
  /** A registry: `<registry>` in a case. */
  readonly registry: string
  /** One that asks who is there: `<locked>` in a case. */
  readonly locked: string
  /** The digest of an image of the first one, `digested`: `<digest>` in a case. */
  readonly digest: string
  /** A folder of the machine: `<folder>` in a case. */
  readonly folder: string
  /** The port of the node's address where a gRPC server tells of its health: `"<grpc>"` in a case. */
  readonly grpcPort: number
}

/** A case at its place. */
export function placed(given: PodCase, places: CasePlaces): PodCase {
  const text = JSON.stringify(given)
    .replaceAll('<registry>', places.registry)
    .replaceAll('<locked>', places.locked)
    .replaceAll('<digest>', places.digest)
    .replaceAll('<folder>', places.folder)
    .replaceAll('"<grpc>"', String(places.grpcPort))
  return JSON.parse(text) as PodCase
}

/** The cases that are to be run: every one, or those that `KUBELET_CASES=NAME,NAME` names. */
export async function wantedCases(): Promise<readonly PodCase[]> {
  const names = process.env['KUBELET_CASES']?.split(',')
  return (await readCases()).filter(({ name }) => names === undefined || names.includes(name))
}

/** Every case of the files, in order. */
export async function readCases(): Promise<readonly PodCase[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).sort()
  const cases: PodCase[] = []
  for (const name of names) {
    const entries = parse(await readFile(join(FOLDER, name), 'utf8')) as readonly Entry[]
    cases.push(...entries.map(caseOf))
  }
  return cases
}

function caseOf(entry: Entry): PodCase {
  const { name, pod, until, told, says, passes = false, static: isStatic = false } = entry
  const first: Step = { until, passes, ...(told && { told }), ...(says && { says }) }
  const lists = ['initContainers', 'containers'].flatMap((list) => {
    const containers = pod[list]
    return Array.isArray(containers) ? [[list, containers.map(containerOf)] as const] : []
  })
  return {
    name,
    isStatic,
    shownAs: isStatic ? `${name}-${NODE}` : name,
    objects: (entry.objects ?? []).map(withNamespace),
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...entry.metadata, name, namespace: 'default' },
      spec: {
        nodeName: NODE,
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        ...pod,
        ...Object.fromEntries(lists),
      },
    } as KubeObject,
    steps: [first, ...(entry.then ?? [])].map(stepOf),
    uncounted: entry.uncounted ?? [],
    isQuiet: entry.quiet === true,
  }
}

function stepOf(step: Step): Step {
  return step.write === undefined ? step : { ...step, write: step.write.map(withNamespace) }
}

function containerOf(container: object): object {
  return { image: SHELL_IMAGE, imagePullPolicy: 'IfNotPresent', ...container }
}

function withNamespace(object: KubeObject): KubeObject {
  return { ...object, metadata: { namespace: 'default', ...object.metadata } }
}
