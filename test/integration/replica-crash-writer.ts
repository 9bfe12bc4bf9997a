import { systemRandom } from '../../src/index.ts'
import { openCrashReplica } from './crash-replica.ts'

// A replica that edits, moves and deletes without end and tells on stdout, after each has resolved, what
// it did: the process that reads this kills it at some moment.

const [directory = '', life = '0'] = process.argv.slice(2)
const WRITERS = 3

function below(count: number): number {
  const bytes = new Uint8Array(4)
  systemRandom.fill(bytes)
  return new DataView(bytes.buffer).getUint32(0) % count
}

function tell(...words: readonly (string | number)[]): void {
  process.stdout.write(`${words.join(' ')}\n`)
}

async function write(writer: number): Promise<never> {
  for (let turn = 0; ; turn++) {
    const isShared = turn % 3 === 0
    const id = isShared ? `shared/${turn % 2}` : `life/${life}/${writer}/${turn >> 4}`
    const key = `${life}.${writer}.${turn}`
    const handle = await replica.open(id, { collection: `c${below(3)}` })
    if (!handle.deleted) {
      handle.change((draft) => ({ ...draft, [key]: 'x'.repeat(below(40) ** 2) }))
      await handle.durable()
      tell('edit', id, key, handle.collection)
    }
    await handle.close()
    if (turn % 16 === 15 && !isShared && below(2) === 0) {
      await replica.delete(id)
      tell('delete', id)
    } else if (turn % 7 === 6 && !isShared) {
      const to = `c${below(3)}`
      await replica.move(id, to)
      tell('move', id, to)
    }
  }
}

// It opens only when told: the start of the next process overlaps the life of this one.
await new Promise((resolve) => process.stdin.once('data', resolve))
const replica = await openCrashReplica(directory)
tell('open', replica.epoch, replica.actor)
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
