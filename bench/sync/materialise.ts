import { change, type Doc, diff, free, getHeads, ImmutableString, load } from '@automerge/automerge'
import { consoleLogger, createReplica, type JsonMap, type Replica } from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { nodeSha256 } from 'tideway/node'

import { samplePod } from '../pod.ts'
import { median } from '../report.ts'

/** Medians of one pod read, changed in one field, read again and compared, in milliseconds. */
export interface MaterialiseFigures {
  /** Automerge alone: load, plain JSON, change, plain JSON, diff. */
  readonly bareMs: number
  /** The engine: open, value, change, value, patches. */
  readonly tidewayMs: number
  /** `tidewayMs` by `bareMs`. */
  readonly ratio: number
  /** Of these: until the first value is there. */
  readonly bareOpenMs: number
  readonly tidewayOpenMs: number
  /** How many pods each figure is the median of. */
  readonly runs: number
}

/** How many pods are gone through before the clocks count: the machine code has to be there. */
const WARM_UP = 300
interface Sample {
  readonly openMs: number
  readonly allMs: number
}

interface BarePod {
  readonly status: { phase: ImmutableString }
}

/**
 * Measures what the engine adds to Automerge when one pod is looked at, edited and looked at again.
 *
 * Both sides begin with the same single event in memory and end with the patches of the edit. Both clocks
 * stop before anything is freed, and before the edit is stored.
 */
export async function benchMaterialise(
  options: { readonly runs?: number } = {},
): Promise<MaterialiseFigures> {
  const runs = options.runs ?? 1000
  const replica = await createReplica({
    storage: memoryStorage(),
    sha256: nodeSha256(),
    logger: consoleLogger('error'),
    // Nothing stays loaded: each opening reads the events.
    cacheBytesMax: 0,
  })
  try {
    const events = await createPods(replica, runs + WARM_UP)
    const bare: Sample[] = []
    const tideway: Sample[] = []
    // In turns, so that both meet the same machine in the same state.
    for (const [index, bytes] of events.entries()) {
      bare.push(bareSample(bytes))
      tideway.push(await tidewaySample(replica, index))
    }
    return figures(bare.slice(WARM_UP), tideway.slice(WARM_UP))
  } finally {
    await replica.close()
  }
}

/** Creates pods and gives back their events as the log holds them. */
async function createPods(replica: Replica, count: number): Promise<readonly Uint8Array[]> {
  for (let index = 0; index < count; index += 1) {
    const handle = await replica.open(`pods/${index}`)
    handle.change(() => samplePod(index) as JsonMap)
    await handle.durable()
    await handle.close()
  }
  const events: Uint8Array[] = []
  for (let index = 0; index < count; index += 1) {
    const document = `pods/${index}`
    const { entries } = await replica.readLog({ document, after: 0, bytesMax: 1 << 20 })
    for (const entry of entries) events.push(entry.bytes)
  }
  return events
}

function bareSample(bytes: Uint8Array): Sample {
  const start = performance.now()
  const loaded: Doc<BarePod> = load<BarePod>(bytes, { actor: 'aaaaaaaaaaaaaaaa' })
  let json = plain(loaded)
  const opened = performance.now()
  const before = getHeads(loaded)
  const changed = change(loaded, (draft) => {
    draft.status.phase = new ImmutableString('Failed')
  })
  json = plain(changed)
  const patches = diff(changed, before, getHeads(changed))
  const end = performance.now()
  if (patches.length === 0 || json === undefined) throw new Error('the edit is not to be seen')
  free(changed)
  return { openMs: opened - start, allMs: end - start }
}

/** Text and numbers as they are in JSON: what every caller of Automerge has to do with such documents. */
function plain(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (node instanceof ImmutableString) return node.val
  if (Array.isArray(node)) return node.map(plain)
  const map: Record<string, unknown> = {}
  for (const key of Object.keys(node)) map[key] = plain((node as Record<string, unknown>)[key])
  return map
}

async function tidewaySample(replica: Replica, index: number): Promise<Sample> {
  let told = 0
  const start = performance.now()
  const handle = await replica.open<{ status: { phase: string } }>(`pods/${index}`)
  let { value } = handle
  const opened = performance.now()
  handle.subscribe(
    ({ patches }) => {
      told += patches.length
    },
    { patches: true },
  )
  handle.change((draft) => {
    draft.status.phase = 'Failed'
  })
  value = handle.value
  const end = performance.now()
  if (told !== 1 || value.status.phase !== 'Failed') {
    throw new Error('the edit is not to be seen')
  }
  await handle.durable()
  await handle.close()
  return { openMs: opened - start, allMs: end - start }
}

function figures(bare: readonly Sample[], tideway: readonly Sample[]): MaterialiseFigures {
  const bareMs = median(bare.map(({ allMs }) => allMs))
  const tidewayMs = median(tideway.map(({ allMs }) => allMs))
  return {
    bareMs,
    tidewayMs,
    ratio: tidewayMs / bareMs,
    bareOpenMs: median(bare.map(({ openMs }) => openMs)),
    tidewayOpenMs: median(tideway.map(({ openMs }) => openMs)),
    runs: bare.length,
  }
}
