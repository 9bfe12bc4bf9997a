import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import type { NewRecord } from '../../src/core/interfaces/storage.ts'

// Appends without end and tells on stdout, after each append has resolved, what it wrote: the process
// that reads this kills it at some moment. Each batch holds a record and one put that go together.

const [directory = '', life = '0'] = process.argv.slice(2)
const WRITERS = 4

function recordOf(serial: string, count: number): readonly NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    document: `document-${index % 7}`,
    collection: `collection-${index % 3}`,
    bytes: new TextEncoder().encode(`${serial}/${index}/${'x'.repeat((index * 131) % 2_000)}`),
  }))
}

async function write(writer: number): Promise<never> {
  for (let turn = 0; ; turn++) {
    const serial = `${life}.${writer}.${turn}`
    const records = recordOf(serial, 1 + (turn % 5))
    const value = new TextEncoder().encode(serial)
    const puts = [{ key: `newest/${life}/${writer}`, value }]
    const { first, head } = await storage.append({ records, puts })
    process.stdout.write(`${serial} ${first} ${first + records.length - 1} ${head}\n`)
  }
}

// The storage opens only when told: the start of the next process overlaps the life of this one.
await new Promise((resolve) => process.stdin.once('data', resolve))
const storage = await levelStorage({ directory })
process.stdout.write('open\n')
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
