import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  consoleLogger,
  createReplica,
  type DocumentHandle,
  type DocumentKind,
  grants,
  type Replica,
} from 'tideway'
import { levelStorage } from 'tideway/adapters/storage/level'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { MemoryHub } from 'tideway/transports/memory'

/** What came of a long life of one document. */
export interface Outcome {
  /** Files of the log, when the last update is durable. */
  readonly diskBytes: number
  /** The largest that the files of the log were, looked at from time to time. */
  readonly diskBytesMax: number
  /** From the call to the open document, in a process that has opened another one before. */
  readonly loadMs: number
  readonly entries: number
  readonly cuts: number
  /** What the subscriber that was away sees in the end, and what the author sees. */
  readonly values: readonly [Status, Status]
  readonly digests: readonly [string, string]
  readonly seconds: number
}

/** The document: a status that changes all the time, and what others write beside it. */
export interface Status {
  phase: string
  step: number
  restarts: number
  conditions: { type: string; status: string; step: number }[]
  note?: string
}

const KIND: DocumentKind = {
  name: 'status/v1',
  shape: {
    type: 'map',
    fields: {
      restarts: { type: 'counter' },
      conditions: { type: 'list', keys: ['type'] },
    },
  },
  skeleton: ['conditions'],
}

const COLLECTION = 'node/edge-1'
const ID = 'pods/default/web/1/observed'
/** Updates that share one wait for the disk. */
const AT_ONCE = 40
const GRANT = { read: [COLLECTION], write: [COLLECTION] }
const OPTIONS = {
  policy: grants({ cloud: GRANT, away: GRANT }),
  logger: consoleLogger('warn'),
  kinds: [KIND],
}

type Handle = DocumentHandle<Status>

/** One document is updated so many times; a subscriber is away for the first half, and writes meanwhile. */
export async function longLife(directory: string, updates: number): Promise<Outcome> {
  const startMs = performance.now()
  const hub = new MemoryHub()
  const cloud = await openCloud(directory)
  cloud.serve(hub.listen('cloud'))
  // It keeps nothing loaded that nobody looks at.
  const options = { ...OPTIONS, name: 'away', storage: memoryStorage(), cacheBytesMax: 0 }
  const away = await createReplica(options)
  let cuts = 0
  cloud.onAppended((entries) => {
    cuts += entries.filter(({ kind }) => kind === 'base').length
  })
  const status = await open(cloud)
  status.change(() => ({
    phase: 'Pending',
    step: 0,
    restarts: 0,
    conditions: [{ type: 'Ready', status: 'False', step: 0 }],
  }))
  await status.durable()
  const uplink = connect(away, hub)
  const remote = await open(away)
  await seen(remote, ({ phase }) => phase === 'Pending')
  await uplink.close()

  const disk = new DiskWatch(directory)
  await update(status, 1, updates / 2, disk)
  for (const type of ['Scheduled', 'Initialized']) {
    remote.change((draft) => {
      draft.conditions.push({ type, status: 'True', step: -1 })
      draft.restarts += 2
      draft.note = `written while away, ${type}`
    })
    await remote.durable()
  }
  connect(away, hub)
  await seen(status, ({ note }) => note !== undefined)
  await remote.close()
  await update(status, updates / 2 + 1, updates, disk)
  await status.durable('away')
  const values = [structuredClone(status.value), structuredClone((await open(away)).value)] as const
  const digests = [await cloud.digest([COLLECTION]), await away.digest([COLLECTION])] as const
  const entries = (await cloud.record(ID))?.entries ?? 0
  await disk.look()
  const diskBytes = disk.bytes
  await away.close()
  await cloud.close()
  const loadMs = await loadTime(directory)
  const seconds = (performance.now() - startMs) / 1000
  return { diskBytes, diskBytesMax: disk.max, loadMs, entries, cuts, values, digests, seconds }
}

async function openCloud(directory: string): Promise<Replica> {
  const storage = await levelStorage({ directory })
  const compaction = { owns: () => true }
  return await createReplica({ ...OPTIONS, name: 'cloud', storage, compaction })
}

function open(replica: Replica): Promise<Handle> {
  return replica.open<Status>(ID, { collection: COLLECTION, kind: KIND })
}

function connect(replica: Replica, hub: MemoryHub) {
  const transport = hub.transport({ principal: replica.name })
  const collections = [COLLECTION]
  return replica.connect({ transport, address: 'cloud', principal: 'cloud', collections })
}

async function update(status: Handle, from: number, to: number, disk: DiskWatch): Promise<void> {
  for (let step = from; step <= to; step += 1) {
    status.change((draft) => {
      draft.step = step
      draft.phase = step % 2 === 0 ? 'Running' : 'Pending'
      const ready = draft.conditions.find(({ type }) => type === 'Ready')
      if (ready !== undefined) ready.step = step
      if (step % 10 === 0) draft.restarts += 1
    })
    if (step % AT_ONCE === 0) await status.durable()
    if (step % (AT_ONCE * 10) === 0) await disk.look()
  }
  await status.durable()
}

function seen(handle: Handle, isIt: (value: Status) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): boolean => {
      if (!isIt(handle.value)) return false
      resolve()
      return true
    }
    if (look()) return
    const cancel = handle.subscribe(() => {
      if (look()) cancel()
    })
  })
}

/** The median of several openings, each in a replica of its own. */
async function loadTime(directory: string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 9; i += 1) {
    const cloud = await openCloud(directory)
    await (await cloud.open('warm')).close()
    const startMs = performance.now()
    const status = await open(cloud)
    if (status.value.step === 0) throw new Error('the document is not what it was')
    times.push(performance.now() - startMs)
    await cloud.close()
  }
  return times.sort((a, b) => a - b)[4] ?? 0
}

/** How large the files of a directory are, now and at most. */
class DiskWatch {
  bytes = 0
  max = 0
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async look(): Promise<void> {
    let bytes = 0
    for (const name of await readdir(this.#directory)) {
      // LevelDB removes files while we look.
      bytes += await stat(join(this.#directory, name)).then(
        ({ size }) => size,
        () => 0,
      )
    }
    this.bytes = bytes
    this.max = Math.max(this.max, bytes)
  }
}
