import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { type Registry, startRegistry } from '../containers/registry.ts'
import { eventually } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { type ContainedPlace, openContainedPlace, type PodEvent } from './edged-contained-place.ts'
import { mainOf, type PodStatus } from './edged-place.ts'

const WAIT_MS = 60_000
const LOGIN = { username: 'edge', password: 'let-me:in' }

let place: ContainedPlace | undefined
let registry: Registry | undefined

beforeEach(async () => {
  if (!hasContainerd()) return
  place = await openContainedPlace()
  registry = await startRegistry(LOGIN)
})

afterEach(async () => {
  await place?.close()
  await registry?.close()
  place = undefined
  registry = undefined
})

describe('edged on containerd', () => {
  test('runs a pod with an image from a registry as its spec says', async (context) => {
    const { registry, store, containerd, runtime, podWhere, events } = here(context)
    const image = registry.publish('team/shell', '1', shellImage('registry.example/shell:1'))
    const hostPort = await steadyPort()
    await store.create(pullSecret(registry.address))
    await store.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app', namespace: 'default' },
      data: { color: 'green' },
    })
    const script = [
      'mkdir -p /scratch/www',
      'id -u > /scratch/www/uid; id -G > /scratch/www/groups',
      'cp /etc/hosts /scratch/www/hosts; cp /etc/resolv.conf /scratch/www/resolv',
      'cat /etc/app/color > /scratch/www/color; stat -c "%a %g" -L /etc/app/color > /scratch/www/mode',
      'grep " /scratch " /proc/mounts > /scratch/www/mounts',
      'touch /denied 2> /scratch/www/root || true',
      'grep NoNewPrivs /proc/self/status > /scratch/www/privileges; hostname > /scratch/www/hostname',
      'grep CapBnd /proc/self/status > /scratch/www/capabilities',
      'echo "$POD_IP" > /scratch/www/ip',
      'exec httpd -f -p 8080 -h /scratch/www',
    ].join('\n')
    await store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        nodeName: 'edge-1',
        hostname: 'front',
        subdomain: 'shop',
        terminationGracePeriodSeconds: 0,
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['192.0.2.53'], searches: ['shop.example'] },
        hostAliases: [{ ip: '192.0.2.7', hostnames: ['db.example', 'cache.example'] }],
        imagePullSecrets: [{ name: 'registry' }],
        securityContext: { runAsNonRoot: true, runAsUser: 1234, runAsGroup: 4321, fsGroup: 777 },
        volumes: [
          { name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
          { name: 'app', configMap: { name: 'app', defaultMode: 0o400 } },
        ],
        containers: [
          {
            name: 'main',
            image,
            command: ['sh', '-c', script],
            env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
            ports: [{ containerPort: 8080, hostPort }],
            securityContext: {
              readOnlyRootFilesystem: true,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ['ALL'] },
            },
            volumeMounts: [
              { name: 'scratch', mountPath: '/scratch' },
              { name: 'app', mountPath: '/etc/app' },
            ],
          },
        ],
      },
    })
    const status = await podWhere('web', (each) => mainOf(each)?.state.running !== undefined)
    const get = (path: string): Promise<string> => httpGet(hostPort, path)
    // It listens once everything is written.
    await until(async () => (await get('/uid').catch(() => '')) !== '')
    expect(await get('/uid')).toBe('1234\n')
    expect((await get('/groups')).trim().split(' ').sort()).toEqual(['4321', '777'])
    expect(await get('/color')).toBe('green')
    expect(await get('/mode')).toBe('440 777\n')
    const mounted = await get('/mounts')
    expect(mounted).toMatch(/ tmpfs .*size=4096k/)
    expect(await get('/root')).toContain('Read-only file system')
    expect(await get('/privileges')).toMatch(/NoNewPrivs:\s*1/)
    expect(await get('/capabilities')).toMatch(/CapBnd:\s*0000000000000000/)
    expect(await get('/hostname')).toBe('front\n')
    expect(await get('/resolv')).toMatch(/^search shop.example\nnameserver 192.0.2.53\n/)
    expect(status.podIP?.startsWith(`${containerd.network}.`)).toBe(true)
    expect(await get('/ip')).toBe(`${status.podIP}\n`)
    const hosts = await get('/hosts')
    expect(hosts).toContain('192.0.2.7\tdb.example\tcache.example\n')
    expect(hosts).toContain(`${status.podIP}\tfront.shop.default.svc.cluster.local\tfront\n`)
    expect(JSON.stringify(mainOf(status))).toMatch(/"imageID":"[^"]*sha256:/)
    const reasons = (await eventually(() => {
      const found = events('web')
      return found.some(({ reason }) => reason === 'Started') ? found : undefined
    }, WAIT_MS)) as readonly PodEvent[]
    const told = reasons.map(({ reason }) => reason)
    expect(told).toEqual(expect.arrayContaining(['Pulling', 'Pulled', 'Created', 'Started']))
    expect(told).not.toContain('SecurityContextNotApplied')
    const pulled = reasons.find(({ reason }) => reason === 'Pulled')?.message
    expect(pulled).toMatch(
      /^Successfully pulled image ".*" in [\d.ms]+ \([\d.ms]+ including waiting\)\. Image size: \d+ bytes\.$/,
    )

    const pod = store.get({ resource: 'pods', namespace: 'default', name: 'web' })
    await store.remove({ resource: 'pods', namespace: 'default', name: 'web' })
    await until(async () => {
      const { sandboxes } = await runtime.list()
      const mounts = await readFile('/proc/self/mounts', 'utf8')
      return sandboxes.length === 0 && !mounts.includes(pod?.metadata.uid ?? '-')
    })
  })

  test('tells why an image cannot be had, what must not run as root, and what containerd refuses', async (context) => {
    const { registry, store, statusOf, podWhere, events } = here(context)
    const refusals = new Set<string>()
    const cancel = store.watch('pods', {}, ({ object: { metadata } }) => {
      const status = metadata.name === 'refused' ? statusOf(metadata.name) : undefined
      const waiting = status === undefined ? undefined : mainOf(status)?.state.waiting
      if (waiting?.message !== undefined) refusals.add(waiting.message)
    })
    const missing = `${registry.address}/team/missing:1`
    const images: Readonly<Record<string, object>> = {
      missing: { image: missing },
      never: { image: 'registry.example/absent:1', imagePullPolicy: 'Never' },
      invalid: { image: 'Not/An Image' },
      root: { image: SHELL_IMAGE, securityContext: { runAsNonRoot: true } },
      refused: { image: SHELL_IMAGE, volumeMounts: [{ name: 'file', mountPath: '/below' }] },
    }
    const volumes = [{ name: 'file', hostPath: { path: '/etc/passwd/below' } }]
    for (const [name, main] of Object.entries(images)) {
      await store.create(simplePod(name, main, { volumes }))
    }
    const waits = async (name: string, reason: string): Promise<string> => {
      const found = await podWhere(name, (each) => mainOf(each)?.state.waiting?.reason === reason)
      return mainOf(found)?.state.waiting?.message ?? ''
    }
    const [failed, waiting, never, invalid, root] = await Promise.all([
      waits('missing', 'ErrImagePull'),
      waits('missing', 'ImagePullBackOff'),
      waits('never', 'ErrImageNeverPull'),
      waits('invalid', 'InvalidImageName'),
      waits('root', 'CreateContainerConfigError'),
      waits('refused', 'CreateContainerError'),
    ])
    expect(failed).toContain(missing)
    expect(waiting).toBe(`Back-off pulling image "${missing}": ErrImagePull: ${failed}`)
    expect(never).toBe(
      'Container image "registry.example/absent:1" is not present with pull policy of Never',
    )
    expect(invalid).toContain('couldn\'t parse image name "Not/An Image"')
    expect(root).toMatch(
      /^container has runAsNonRoot and image will run as root \(pod: "root_default\(.*\)", container: main\)$/,
    )
    const node = store.get({ resource: 'nodes', name: 'edge-1' })
    expect(JSON.stringify(node?.['status'])).toContain(`"names":["${SHELL_IMAGE}"]`)
    const told = events('missing').map(({ reason, message }) => `${reason}: ${message}`)
    expect(told).toContain('Failed: Error: ErrImagePull')
    expect(told).toContain(`BackOff: Back-off pulling image "${missing}"`)
    // Refused under another id each time: by now that would show if it were asked at once again.
    cancel()
    expect([...refusals]).toEqual([expect.stringContaining('/etc/passwd/below')])
    expect(events('refused').filter(({ reason }) => reason === 'Failed')).toHaveLength(1)
    for (const name of Object.keys(images)) {
      await store.remove({ resource: 'pods', namespace: 'default', name })
    }
  })

  test('starts a container again without its registry, and after another edged has taken over', async (context) => {
    const { registry, store, containerd, statusOf, podWhere, events, restart } = here(context)
    const image = registry.publish('team/shell', '2', shellImage('registry.example/shell:2'))
    await store.create(pullSecret(registry.address))
    const script =
      'echo >> /scratch/runs; [ -e /scratch/go ] && exec sleep 1000; until [ -e /scratch/go ]; do sleep 0.1; done; exit 3'
    await store.create(
      simplePod(
        'again',
        {
          image,
          imagePullPolicy: 'Always',
          command: ['sh', '-c', script],
          volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
          securityContext: { runAsUser: 99 },
        },
        {
          imagePullSecrets: [{ name: 'registry' }],
          volumes: [{ name: 'scratch', emptyDir: {} }],
          hostNetwork: true,
        },
      ),
    )
    const isRunning = (status: PodStatus): boolean => mainOf(status)?.state.running !== undefined
    const first = await podWhere('again', isRunning)
    expect(first.podIP).toBe('127.0.0.1')
    await restart()
    expect(mainOf(statusOf('again') ?? {})?.containerID).toBe(mainOf(first)?.containerID)
    await registry.close()
    const uid = store.get({ resource: 'pods', namespace: 'default', name: 'again' })?.metadata.uid
    const volume = join(containerd.folder, 'node', 'pods', String(uid), 'volumes', 'scratch')
    expect(await readFile(join(volume, 'runs'), 'utf8')).toBe('\n')
    await writeFile(join(volume, 'go'), '')
    await podWhere('again', (status) => isRunning(status) && mainOf(status)?.restartCount === 1)
    const told = events('again').map(({ message }) => message)
    expect(told).toContain(`Container image "${image}" that it ran before is used again`)
  })
})

function here(
  context: Parameters<typeof skipUnless>[0],
): ContainedPlace & { readonly registry: Registry } {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  if (place === undefined || registry === undefined) throw new Error('there is no containerd')
  return { ...place, registry }
}

function simplePod(name: string, main: object, spec: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 0,
      ...spec,
      containers: [{ name: 'main', command: ['sleep', '1000'], ...main }],
    },
  }
}

function pullSecret(address: string): KubeObject {
  const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')
  const config = JSON.stringify({ auths: { [address]: { auth } } })
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry', namespace: 'default' },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WAIT_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not so in time: ${String(holds)}`)
    await delay(20)
  }
}

async function httpGet(port: number, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve(text))
    })
    asked.on('error', reject)
    asked.end()
  })
}
