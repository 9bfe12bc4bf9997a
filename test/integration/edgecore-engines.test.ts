import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ENGINE_REASONS,
  type Engine,
  type EngineKind,
  hasEngine,
  startEngine,
} from '../containers/engine.ts'
import { PAUSE_IMAGE, pauseImage, shellImage } from '../containers/images.ts'
import { skipUnless } from '../support/skip.ts'
import { checkContainedPod } from './contained-pod.ts'
import { runCli, TestFleet } from './fleet-programs.ts'

const KINDS: readonly EngineKind[] = ['docker', 'podman']

let fleet: TestFleet

beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
})

afterAll(async () => {
  await fleet.close()
})

describe.each(KINDS)('%s', (kind) => {
  let engine: Engine | undefined

  beforeAll(async () => {
    if (hasEngine(kind)) engine = await startEngine(kind, [pauseImage(), shellImage()])
  })

  afterAll(async () => {
    await engine?.close()
  })

  const wordsOf = (runtime: EngineKind): readonly string[] => [
    ...['--runtime', runtime, '--runtime-endpoint', engine?.socket ?? ''],
    ...['--pause-image', PAUSE_IMAGE],
  ]

  test('another engine than the one that was named is refused', async (context) => {
    skipUnless(context, engine !== undefined, kind, ENGINE_REASONS[kind])
    const other = kind === 'docker' ? 'podman' : 'docker'
    const token = ['--token', await fleet.token(`not-${kind}`)]
    const args = fleet.edgeArgs(`not-${kind}`, [...token, ...wordsOf(other)])
    const result = await runCli('edgecore', args)
    expect(result).toMatchObject({ code: 6 })
    expect(result.stderr).toContain(`is a ${kind}, not a ${other}`)
  })

  test('a pod of the cloud is a container of the engine', async (context) => {
    skipUnless(context, engine !== undefined, kind, ENGINE_REASONS[kind])
    await checkContainedPod({
      fleet,
      node: `edge-${kind}`,
      engine: wordsOf(kind),
      runtimeName: kind,
      network: engine?.network ?? '',
      async held() {
        const left = await engine?.leftovers()
        const keepers = left?.processes.filter((line) => /shim|conmon/.test(line)) ?? []
        return [...keepers, ...(left?.namespaces ?? []), ...(left?.chains ?? [])].length
      },
    })
  })
})
