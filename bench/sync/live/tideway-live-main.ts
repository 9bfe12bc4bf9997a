// One edge of Tideway that edits while it is connected, and waits for each edit to be acknowledged.

import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentHandle, Replica } from 'tideway'
import { WebSocket } from 'ws'

import { samplePod } from '../../pod.ts'
import { percentile } from '../../report.ts'
import { storageIn } from '../clouds/storages.ts'
import { connected, dialCloud, openEdge } from '../clouds/tideway-edge.ts'
import { RawDisk } from '../harness/raw-disk.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { collectionOf } from '../replica-options.ts'

const NAME = 'edge-1'
interface Pod {
  status: { podIP: string }
}

let edge: Replica
let handle: DocumentHandle<Pod>
let wire: WireBytes
let edits = 0

serveCommands({
  prepare: async ({ address, directory }: { address: string; directory: string }) => {
    edge = await openEdge(NAME, await storageIn(directory))
    wire = new WireBytes()
    await connected(dialCloud(edge, address))
    wire.stop()
    handle = await edge.open<Pod>('pods/default/web/1/desired', { collection: collectionOf(NAME) })
    handle.change(() => samplePod(0) as never)
    await handle.durable('cloud')
  },
  /** The first edits: what one takes on the disk and on the wire, and how long while the code is cold. */
  begin: async ({ edits: count, directory }: { edits: number; directory: string }) => {
    const [logBefore, upBefore] = [await logBytes(directory), wire.up]
    const times: number[] = []
    for (let i = 0; i < count; i += 1) times.push((await edit()).ms)
    const diskBytes = Math.round(((await logBytes(directory)) - logBefore) / count)
    const wireBytes = Math.round((wire.up - upBefore) / count)
    return { diskBytes, wireBytes, coldP50Ms: percentile(times, 0.5) }
  },
  /** Edits until what is edited again and again is compiled. */
  warmUp: async ({ edits: count }: { edits: number }) => {
    for (let i = 0; i < count; i += 1) await edit()
  },
  /** In turns: one edit until it is acknowledged, then two syncs to disk and one round trip without us. */
  measure: async (options: {
    readonly edits: number
    readonly diskDirectory: string
    readonly diskBytes: number
    readonly echoAddress: string
    readonly wireBytes: number
  }) => {
    const disk = await RawDisk.open(options.diskDirectory, options.diskBytes)
    const echo = new WebSocket(options.echoAddress, { perMessageDeflate: false })
    await once(echo, 'open')
    const message = new Uint8Array(options.wireBytes)
    const samples: Readonly<Record<string, number>>[] = []
    for (let i = 0; i < options.edits; i += 1) {
      const { ms, changeMs } = await edit()
      const syncMs = (await disk.syncMs()) + (await disk.syncMs())
      const begin = nowMs()
      echo.send(message)
      await once(echo, 'message')
      const roundTripMs = nowMs() - begin
      const rawMs = syncMs + roundTripMs
      samples.push({ ms, changeMs, rawMs, syncMs: syncMs / 2, roundTripMs })
    }
    echo.close()
    await disk.close()
    return samples
  },
})

async function edit(): Promise<{ readonly ms: number; readonly changeMs: number }> {
  edits += 1
  const begin = nowMs()
  handle.change((pod) => {
    pod.status.podIP = `10.244.${(edits >> 8) & 255}.${edits & 255}`
  })
  const changeMs = nowMs() - begin
  await handle.durable('cloud')
  return { ms: nowMs() - begin, changeMs }
}

/** The size of the newest write-ahead log of LevelDB in a directory. */
async function logBytes(directory: string): Promise<number> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log')).sort()
  return (await stat(join(directory, logs.at(-1) ?? ''))).size
}
