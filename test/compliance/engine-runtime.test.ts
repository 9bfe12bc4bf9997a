import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { engineRuntime } from '../../src/adapters/runtime/engine/index.ts'
import { type RuntimePlace, runtimeSuite } from '../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'
import {
  ENGINE_REASONS,
  type Engine,
  type EngineKind,
  hasEngine,
  startEngine,
} from '../containers/engine.ts'
import { PAUSE_IMAGE, pauseImage, SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { runtimePlace } from '../support/runtime-place.ts'
import { skipUnless } from '../support/skip.ts'

const KINDS: readonly EngineKind[] = ['docker', 'podman']

describe.each(KINDS)('%s through its API', (kind) => {
  let engine: Engine | undefined
  let places = 0

  beforeAll(async () => {
    if (hasEngine(kind)) engine = await startEngine(kind, [pauseImage(), shellImage()])
  })

  afterAll(async () => {
    await engine?.close()
  })

  async function place(): Promise<RuntimePlace> {
    if (engine === undefined) throw new Error(`there is no ${kind}`)
    const { folder, socket, cgroupRoot } = engine
    places += 1
    const owner = `suite-${places}`
    const directory = join(folder, owner)
    await mkdir(directory)
    return runtimePlace(directory, () =>
      engineRuntime({
        socketPath: socket,
        clock: systemClock,
        logger: consoleLogger('silent'),
        owner,
        cgroupRoot,
        pauseImage: PAUSE_IMAGE,
      }),
    )
  }

  runtimeSuite({
    test: (name, check) =>
      test(name, async (context) => {
        skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
        await check()
      }),
    factory: place,
    image: SHELL_IMAGE,
  })
})
