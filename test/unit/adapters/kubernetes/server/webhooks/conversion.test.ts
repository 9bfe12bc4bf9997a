import { describe, expect, test } from 'vitest'
import { rowOf } from '../../../../../../src/adapters/kubernetes/objects/rows.ts'
import type {
  KubeObject,
  ObjectRow,
} from '../../../../../../src/adapters/kubernetes/objects/types.ts'
import type { ConversionWebhook } from '../../../../../../src/adapters/kubernetes/server/custom/conversion-webhook.ts'
import { readSchema } from '../../../../../../src/adapters/kubernetes/server/custom/schema.ts'
import { ConversionQueue } from '../../../../../../src/adapters/kubernetes/server/watch-conversion.ts'
import { ConvertedRows } from '../../../../../../src/adapters/kubernetes/server/webhooks/converted-rows.ts'
import { createConverter } from '../../../../../../src/adapters/kubernetes/server/webhooks/converter.ts'
import { conversionAnswer } from '../../../../../support/conversion-answers.ts'

const ANYTHING = readSchema({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true })

const WEBHOOK: ConversionWebhook = {
  address: { url: 'https://here', service: undefined, caPem: '' },
  reviewVersion: 'v1',
  storage: 'golden.example.com/v1',
  schemas: new Map([
    ['golden.example.com/v1', ANYTHING],
    ['golden.example.com/v2', ANYTHING],
  ]),
  hasOlder: () => false,
}
const V2 = 'golden.example.com/v2'

const host = (name: string, version = 1): KubeObject => ({
  apiVersion: 'golden.example.com/v1',
  kind: 'Host',
  metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: String(version) },
  spec: { hostPort: `${name}:80` },
})

/** A converter that is answered by a path of the test webhook; counts how often, and about how many. */
function converterAt(path: string): {
  readonly converter: ReturnType<typeof createConverter>
  readonly asked: number[]
} {
  const asked: number[] = []
  const call = async (_address: unknown, body: string): Promise<Uint8Array> => {
    const { apiVersion, request } = JSON.parse(body)
    asked.push(request.objects.length)
    return Buffer.from(conversionAnswer(path, apiVersion, request))
  }
  return { converter: createConverter({ call }), asked }
}

describe('a conversion', () => {
  test('is asked about what is of another version, once, and leaves the order as it is', async () => {
    const { converter, asked } = converterAt('/convert')
    const there = { ...host('b'), apiVersion: V2, spec: { host: 'b', port: '1' } }
    const found = await converter.convert(WEBHOOK, [host('a'), there, host('c')], V2, 'HostList')
    expect(asked).toEqual([2])
    expect(found.map(({ apiVersion, spec }) => ({ apiVersion, spec }))).toEqual([
      { apiVersion: V2, spec: { host: 'a', port: '80' } },
      { apiVersion: V2, spec: { host: 'b', port: '1' } },
      { apiVersion: V2, spec: { host: 'c', port: '80' } },
    ])
    expect(await converter.convert(WEBHOOK, [there], V2)).toEqual([there])
    expect(asked).toEqual([2])
  })

  test('changes labels and annotations, and nothing else of metadata', async () => {
    const { converter } = converterAt('/convert/annotate')
    const [found] = await converter.convert(WEBHOOK, [host('a')], V2)
    expect(found?.metadata).toEqual({ ...host('a').metadata, annotations: { converted: 'yes' } })
    const [held] = await converterAt('/convert/finalizer').converter.convert(
      WEBHOOK,
      [host('a')],
      V2,
    )
    expect(held?.metadata).toEqual(host('a').metadata)
  })

  const about = 'conversion webhook for golden.example.com/v1, Kind=Host'
  test.each([
    ['/convert/refuse', `${about} failed: not today`],
    [
      '/convert/refuse/plainly',
      `${about} failed: response.result.status was 'Failed', not 'Success'`,
    ],
    ['/convert/result', `${about} failed: response.result.status was '', not 'Success'`],
    ['/convert/absent', `${about} failed: no response provided`],
    ['/convert/none', `${about} returned 0 objects, expected 1`],
    ['/convert/name', `${about} returned invalid object: must have the same name: a != another`],
    [
      '/convert/object-uid',
      `${about} returned invalid object: must have the same UID: uid-a != another`,
    ],
    ['/convert/no-metadata', `${about} returned invalid object: must have the same name: a != `],
    [
      '/convert/version',
      `${about} returned invalid object at index 0: invalid groupVersion (expected ${V2}, received golden.example.com/v9)`,
    ],
    [
      '/convert/kind',
      `${about} returned invalid object at index 0: invalid kind (expected Host, received Another)`,
    ],
    [
      '/convert/labels',
      `${about} returned invalid metadata: invalid metadata.labels of type string in converted object`,
    ],
    [
      '/convert/number-label',
      `${about} returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object`,
    ],
  ])('%s is an error that says why', async (path, message) => {
    const { converter } = converterAt(path)
    const error = await converter.convert(WEBHOOK, [host('a')], V2).catch((found: unknown) => found)
    expect(error).toMatchObject({ code: 500, reason: 'Unknown', message })
  })

  test('of a list is told as one of a list', async () => {
    const { converter } = converterAt('/convert/name')
    const given = [host('another'), host('b')]
    await expect(converter.convert(WEBHOOK, given, V2, 'HostList')).rejects.toThrow(
      `conversion webhook for ${V2}, Kind=HostList returned invalid converted object at index 1: must have the same name: b != another`,
    )
  })

  test('has an answer to its own question, but in the older form', async () => {
    const { converter } = converterAt('/convert/uid')
    await expect(converter.convert(WEBHOOK, [host('a')], V2)).rejects.toThrow(
      /failed: expected response\.uid="[^"]+", got "another"$/,
    )
    const older: ConversionWebhook = { ...WEBHOOK, reviewVersion: 'v1beta1' }
    expect(await converter.convert(older, [host('a')], V2)).toHaveLength(1)
    const none: ConversionWebhook = { ...WEBHOOK, reviewVersion: undefined }
    await expect(converter.convert(none, [host('a')], V2)).rejects.toThrow(
      'no supported conversion review versions',
    )
  })
})

describe('rows that a webhook converts', () => {
  const served = { group: 'golden.example.com', version: 'v2', kind: 'Host', listKind: 'HostList' }

  test('are asked about in pages, and once for all who watch', async () => {
    const { converter, asked } = converterAt('/convert')
    const rows = new ConvertedRows(WEBHOOK, served, converter)
    const all = Array.from({ length: 1_001 }, (_, index) => rowOf(host(`h${index}`)))
    const [first, second] = await Promise.all([rows.convert(all), rows.convert(all)])
    expect(asked).toEqual([500, 500, 1])
    expect(first.map(({ name }) => name)).toEqual(all.map(({ name }) => name))
    expect(second[1_000]?.object).toMatchObject({ spec: { host: 'h1000' } })
    await rows.convert([rowOf(host('h0', 2))])
    expect(asked).toEqual([500, 500, 1, 1])
  })

  test('are asked about again after a failure', async () => {
    const paths = ['/convert/refuse', '/convert']
    const call = async (_address: unknown, body: string): Promise<Uint8Array> => {
      const { apiVersion, request } = JSON.parse(body)
      return Buffer.from(conversionAnswer(paths.shift() ?? '', apiVersion, request))
    }
    const rows = new ConvertedRows(WEBHOOK, served, createConverter({ call }))
    await expect(rows.convert([rowOf(host('a'))])).rejects.toThrow('not today')
    expect(await rows.convert([rowOf(host('a'))])).toHaveLength(1)
  })
})

describe('what a watch has still to convert', () => {
  interface Setting {
    readonly queue: ConversionQueue
    readonly told: string[]
    readonly batches: string[][]
    readonly failures: unknown[]
    /** Lets the batch that is under way be done, or fail. */
    readonly finish: (error?: Error) => Promise<void>
    hasRoom: boolean
  }

  function setting(rowsMax = 100): Setting {
    const [told, batches, failures]: [string[], string[][], unknown[]] = [[], [], []]
    let done: (error?: Error) => void = () => undefined
    const convert = (rows: readonly ObjectRow[]): Promise<readonly ObjectRow[]> => {
      batches.push(rows.map(({ name }) => name))
      return new Promise((resolve, reject) => {
        done = (error) => (error === undefined ? resolve(rows) : reject(error))
      })
    }
    const fail = (error: unknown): void => void failures.push(error)
    const hasRoom = (): boolean => found.hasRoom
    const queue = new ConversionQueue({ convert, hasRoom, fail, rowsMax, bytesMax: 1_000_000 })
    const finish = async (error?: Error): Promise<void> => {
      done(error)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const found: Setting = { queue, told, batches, failures, finish, hasRoom: true }
    return found
  }

  const add = ({ queue, told }: Setting, ...names: readonly string[]): boolean =>
    queue.add({
      rows: names.map((name) => rowOf(host(name))),
      tell: (rows) => told.push(rows.map(({ name }) => name).join('+')),
    })

  test('is told in order, in batches, also what needs no converting', async () => {
    const one = setting()
    one.queue.begin([rowOf(host('x')), rowOf(host('y'))], ({ name }) => one.told.push(name))
    expect(add(one)).toBe(true)
    add(one, 'a')
    add(one, 'b', 'c')
    expect(one.batches).toEqual([['x', 'y']])
    await one.finish()
    expect(one.told).toEqual(['x', 'y'])
    expect(one.batches).toEqual([
      ['x', 'y'],
      ['a', 'b', 'c'],
    ])
    await one.finish()
    expect(one.told).toEqual(['x', 'y', '', 'a', 'b+c'])
    expect(one.queue.isIdle).toBe(true)
    add(one)
    expect(one.told).toHaveLength(6)
  })

  test('waits for room, and no longer than it may', async () => {
    const one = setting(3)
    one.hasRoom = false
    expect(add(one, 'a')).toBe(true)
    expect(add(one, 'b', 'c')).toBe(true)
    expect(one.batches).toEqual([])
    expect(add(one, 'd')).toBe(false)
    one.hasRoom = true
    one.queue.resume()
    await one.finish()
    expect(one.told).toEqual(['a', 'b+c', 'd'])
  })

  test('ends with a failure, which is told once', async () => {
    const one = setting()
    add(one, 'a')
    add(one, 'b')
    const error = new Error('no')
    await one.finish(error)
    expect(one.failures).toEqual([error])
    expect(one.told).toEqual([])
    expect(add(one, 'c')).toBe(true)
    await one.finish()
    expect(one.batches).toEqual([['a']])
  })

  test('is forgotten when the watch ends', async () => {
    const one = setting()
    add(one, 'a')
    one.queue.close()
    await one.finish(new Error('late'))
    expect([one.told, one.failures]).toEqual([[], []])
  })
})
