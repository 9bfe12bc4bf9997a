import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { SHELL_IMAGE } from '../containers/images.ts'
import { runCli, type TestFleet, until } from './fleet-programs.ts'

/** A node whose pods come from a folder, too. */
export interface StaticNode {
  readonly fleet: TestFleet
  readonly node: string
  /** What tells edgecore of its engine. */
  readonly engine: readonly string[]
  /** How much of pods is on the machine. */
  readonly held: () => Promise<number>
}

/** The part of a mirror that is looked at. */
interface Mirror {
  readonly metadata: {
    readonly uid: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly status?: {
    readonly phase?: string
    readonly containerStatuses?: readonly {
      readonly containerID?: string
      readonly restartCount?: number
      readonly ready?: boolean
    }[]
  }
}

const PODS = '/api/v1/namespaces/default/pods'
const WAIT_MS = 120_000

function manifest(name: string, script: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: ${SHELL_IMAGE}
      imagePullPolicy: IfNotPresent
      command: [sh, -c, ${JSON.stringify(script)}]
`
}

/**
 * The pod of a file runs and has mirrors here and at the cloud; a file that cannot be used is told and changes
 * nothing; the next edgecore takes up what runs; another text is another pod, and without its file
 * it goes.
 */
export async function checkStaticPods({ fleet, node, engine, held }: StaticNode): Promise<void> {
  const folder = join(fleet.directory, `manifests-${node}`)
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'web.yaml')
  // In its place at once, as whoever writes manifests should.
  const put = async (text: string, path = file): Promise<void> => {
    await writeFile(join(folder, '.new'), text)
    await rename(join(folder, '.new'), path)
  }
  await put(manifest('web', 'sleep 1000'))
  const flags = [...engine, '--pod-manifest-path', folder]
  const first = await fleet.startEdge(node, ['--token', await fleet.token(node), ...flags])
  const path = `${PODS}/web-${node}`
  const mirrorOf = async (where: string): Promise<Mirror | undefined> => {
    const { status, body } = await (await fleet.api(where)).send('GET', path)
    return status === 200 ? (body as unknown as Mirror) : undefined
  }
  const ready = (where: string, fits: (mirror: Mirror) => boolean = () => true): Promise<Mirror> =>
    until(
      `the mirror being ready: ${where}`,
      async () => {
        const mirror = await mirrorOf(where)
        const isReady = mirror?.status?.containerStatuses?.[0]?.ready === true
        return mirror !== undefined && isReady && fits(mirror) ? mirror : undefined
      },
      WAIT_MS,
    )
  const idOf = (mirror: Mirror): string => mirror.status?.containerStatuses?.[0]?.containerID ?? ''
  const here = await ready(node)
  const there = await ready('cloud')
  expect(idOf(there)).toBe(idOf(here))
  expect(there.metadata.uid).toBe(here.metadata.uid)
  expect(here.metadata.annotations?.['kubernetes.io/config.source']).toBe('file')
  const hash = here.metadata.annotations?.['kubernetes.io/config.hash']
  expect(here.metadata.annotations?.['kubernetes.io/config.mirror']).toBe(hash)

  await put('kind: {{{', file)
  await first.line('a manifest of a static pod cannot be used')
  expect(idOf(await ready(node))).toBe(idOf(here))

  await put(manifest('web', 'sleep 1000'))
  await first.kill()
  const second = await fleet.startEdge(node, flags)
  await second.line('connected to the cloud')
  const after = await ready(node)
  expect(after.status?.containerStatuses?.[0]).toMatchObject({
    containerID: idOf(here),
    restartCount: 0,
  })

  await put(manifest('web', 'sleep 2000'))
  const isOther = (mirror: Mirror): boolean =>
    idOf(mirror) !== idOf(here) &&
    mirror.metadata.annotations?.['kubernetes.io/config.hash'] !== hash
  await ready('cloud', isOther)

  await rm(file)
  const gone = async (where: string): Promise<true | undefined> =>
    (await mirrorOf(where)) === undefined ? true : undefined
  await until('the mirror being gone here', () => gone(node), WAIT_MS)
  await until('the mirror being gone at the cloud', () => gone('cloud'), WAIT_MS)
  await until('nothing being left of it', async () => (await held()) === 0, WAIT_MS)
  await second.stop()
  const stop = ['stop-pods', '--data', fleet.data(node), ...engine]
  expect(await runCli('edgecore', stop)).toMatchObject({ code: 0, stdout: 'stopped 0 pods\n' })
}
