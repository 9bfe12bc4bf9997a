import { type FSWatcher, watch } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { JsonObject } from 'tideway/adapters/kubernetes/objects'
import { SHELL_IMAGE } from '../../test/containers/images.ts'
import type { ApiClient, ApiRequest } from '../api/client.ts'

const PODS = '/api/v1/namespaces/default/pods'
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
/** A measurement that takes longer is broken. */
const WAIT_MS = 120_000

/** The request that makes a pod, whose first act is to make a file named like itself in `beacons`. */
export function createPod(name: string, beacons: string): ApiRequest {
  return createPodWith(name, [{ name: 'beacons', hostPath: { path: beacons } }])
}

/** The request that makes a pod which has the config map of the same name in its volume `config`. */
export function createConfiguredPod(name: string, beacons: string): ApiRequest {
  return createPodWith(name, [
    { name: 'beacons', hostPath: { path: beacons } },
    { name: 'config', configMap: { name } },
  ])
}

/** Each volume is mounted where its name says. */
function createPodWith(
  name: string,
  volumes: readonly (JsonObject & { readonly name: string })[],
): ApiRequest {
  const script = `: > /beacons/${name}; exec sleep 100000`
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'bench',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      volumes,
      containers: [
        {
          name: 'main',
          image: SHELL_IMAGE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          volumeMounts: volumes.map((volume) => ({
            name: volume.name,
            mountPath: `/${volume.name}`,
          })),
        },
      ],
    },
  }
  return { method: 'POST', path: PODS, body }
}

/** The request that makes a config map of one value. */
export function createConfigMap(name: string): ApiRequest {
  const metadata = { name, namespace: 'default' }
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: 'first' } }
  return { method: 'POST', path: CONFIG_MAPS, body }
}

/** The request that gives a config map another value. */
export function changeConfigMap(name: string, value: string): ApiRequest {
  const contentType = 'application/merge-patch+json'
  return { method: 'PATCH', path: `${CONFIG_MAPS}/${name}`, body: { data: { value } }, contentType }
}

/** The request that deletes a pod at once. */
export function deletePod(name: string): ApiRequest {
  return { method: 'DELETE', path: `${PODS}/${name}?gracePeriodSeconds=0` }
}

/** Tells when names turn up, and keeps the moment of each. */
class Moments {
  readonly #at = new Map<string, number>()
  readonly #waiting = new Map<string, () => void>()

  note(name: string): void {
    if (this.#at.has(name)) return
    this.#at.set(name, performance.now())
    this.#waiting.get(name)?.()
  }

  async of(name: string): Promise<number> {
    const known = this.#at.get(name)
    if (known !== undefined) return known
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${name} was not in time`)), WAIT_MS)
      this.#waiting.set(name, () => {
        clearTimeout(late)
        resolve()
      })
    })
    return this.#at.get(name) ?? Number.NaN
  }
}

/** When the first process of each pod ran: seen by the files that they make. */
export class Beacons {
  readonly #moments = new Moments()
  readonly #watcher: FSWatcher

  constructor(folder: string) {
    this.#watcher = watch(folder, (_event, name) => {
      if (name !== null) this.#moments.note(name)
    })
  }

  /** The moment, as `performance.now()` counts. */
  lit(name: string): Promise<number> {
    return this.#moments.of(name)
  }

  close(): void {
    this.#watcher.close()
  }
}

/** When a server said of each pod that it is ready: by a watch. */
export class ReadyPods {
  readonly #moments = new Moments()
  readonly #gone = new Moments()
  readonly #response: IncomingMessage
  #rest = ''

  private constructor(response: IncomingMessage) {
    this.#response = response
    response.on('data', (chunk: Buffer) => this.#read(chunk.toString('utf8')))
    response.on('error', () => undefined)
  }

  static async open(client: ApiClient): Promise<ReadyPods> {
    return new ReadyPods(await client.watch(`${PODS}?watch=true&resourceVersion=0`))
  }

  ready(name: string): Promise<number> {
    return this.#moments.of(name)
  }

  gone(name: string): Promise<number> {
    return this.#gone.of(name)
  }

  close(): void {
    this.#response.destroy()
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#take(line)
  }

  #take(line: string): void {
    const event = JSON.parse(line) as {
      readonly type: string
      readonly object: {
        readonly metadata: { readonly name: string }
        readonly status?: {
          readonly phase?: string
          readonly containerStatuses?: readonly { readonly ready?: boolean }[]
        }
      }
    }
    const { name } = event.object.metadata
    const { phase, containerStatuses } = event.object.status ?? {}
    if (event.type === 'DELETED') this.#gone.note(name)
    if (phase === 'Running' && containerStatuses?.every(({ ready }) => ready === true) === true)
      this.#moments.note(name)
  }
}

/** Names that are not used twice. */
export function namesOf(group: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${group}-${index}`)
}
