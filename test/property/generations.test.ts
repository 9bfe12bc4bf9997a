import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { LogNode, settleAll } from '../support/log-node.ts'

const KIND = {
  name: 'test/v1',
  shape: {
    type: 'map',
    fields: { items: { type: 'list', keys: ['name'] }, count: { type: 'counter' } },
  },
  skeleton: [],
} as const

const RUNS = Number(process.env['GENERATION_RUNS'] ?? 60)
const NAMES = ['a', 'b', 'c'] as const

type Step =
  | { readonly do: 'set' | 'add' | 'remove' | 'count' | 'unset'; readonly at: number }
  | { readonly do: 'burst'; readonly at: number }
  | { readonly do: 'cut'; readonly at: number }
  | { readonly do: 'give'; readonly at: number; readonly to: number; readonly max: number }

const at = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('set', 'add', 'remove', 'count', 'unset'), at }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('burst'), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut'), at }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('give'),
      at,
      to: at,
      max: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
    }),
  },
)

type Value = Record<string, unknown> & { items: { name: string; by: string }[]; count: number }

/** What a document must hold in the end: each part is written by one replica only, or adds up. */
class Model {
  readonly fields = new Map<string, number>()
  readonly items = new Set<string>()
  count = 0
  #next = 0

  edit(draft: Value, kind: Step['do'], name: string): void {
    this.#next += 1
    const field = `${name}${this.#next % 3}`
    if (kind === 'set') {
      draft[field] = this.#next
      this.fields.set(field, this.#next)
    } else if (kind === 'unset') {
      delete draft[field]
      this.fields.delete(field)
    } else if (kind === 'add') {
      const item = `${name}-${this.#next}`
      draft.items.push({ name: item, by: name })
      this.items.add(item)
    } else if (kind === 'remove') {
      const mine = draft.items.find(({ by }) => by === name)
      draft.items = draft.items.filter((item) => item !== mine)
      if (mine !== undefined) this.items.delete(mine.name)
    } else {
      draft.count += 1
      this.count += 1
    }
  }
}

async function run(steps: readonly Step[], cutters: number): Promise<[LogNode[], Model]> {
  const nodes = await Promise.all(NAMES.map((name) => LogNode.open(name)))
  const [first] = nodes as [LogNode]
  const model = new Model()
  await first.edit(
    'd',
    (draft) => {
      Object.assign(draft, { items: [], count: 0 })
    },
    KIND,
  )
  await settleAll(nodes)
  const held = await Promise.all(nodes.map((node) => node.hold('d', KIND)))
  const under: Promise<unknown>[] = []
  for (const step of steps) {
    const index = step.do === 'cut' ? step.at % cutters : step.at
    const [node, handle] = [nodes[index], held[index]]
    if (node === undefined || handle === undefined) continue
    switch (step.do) {
      case 'give': {
        const to = nodes[step.to]
        if (to !== undefined && to !== node) await node.give(to, step.max)
        break
      }
      case 'cut':
        await node.cut('d')
        break
      case 'burst': {
        // A cut, with edits behind it that do not know of it yet.
        const generation = (await node.log.record('d'))?.generation ?? 1
        if (index < cutters) under.push(node.log.commit({ type: 'cut', document: 'd', generation }))
        for (const kind of ['set', 'count', 'add'] as const)
          node.change(handle, (draft) => model.edit(draft as Value, kind, node.name))
        await handle.durable
        break
      }
      default:
        node.change(handle, (draft) => model.edit(draft as Value, step.do, node.name))
        await handle.durable
    }
  }
  await Promise.all(under)
  await settleAll(nodes)
  return [nodes, model]
}

async function agree(nodes: readonly LogNode[]): Promise<Value> {
  const [first] = nodes as [LogNode]
  const value = await first.value('d', KIND)
  for (const node of nodes) {
    expect(await node.value('d', KIND)).toEqual(value)
    const again = await readAgain(node)
    expect(again).toEqual(value)
    expect(await node.digest('d')).toBe(await first.digest('d'))
  }
  return value as Value
}

/** The value as it is read from the log alone. */
async function readAgain(node: LogNode): Promise<unknown> {
  await node.documents.reload('d')
  return await node.value('d', KIND)
}

describe('replicas whose documents are cut at any moment', () => {
  test('agree, lose nothing and apply nothing twice', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const [nodes, model] = await run(steps, 1)
        const value = await agree(nodes)
        for (const node of nodes) expect(await node.late()).toEqual([])
        expect(value.count).toBe(model.count)
        expect(new Set(value.items.map(({ name }) => name))).toEqual(model.items)
        const { items: _, count: __, ...fields } = value
        expect(fields).toEqual(Object.fromEntries(model.fields))
      }),
      { numRuns: RUNS },
    )
  })

  // What only the base that lost had in it is gone: of a collection there should be one owner.
  test('agree also when several cut at once', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const [nodes] = await run(steps, 3)
        await agree(nodes)
      }),
      { numRuns: RUNS },
    )
  })
})
