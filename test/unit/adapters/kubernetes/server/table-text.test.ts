import { describe, expect, test } from 'vitest'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import { rowOf } from '../../../../../src/adapters/kubernetes/objects/rows.ts'
import type { KubeObject, Resource } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { wholeOf } from '../../../../../src/adapters/kubernetes/server/pieces.ts'
import { tableOf } from '../../../../../src/adapters/kubernetes/server/table/table.ts'
import { tableBody } from '../../../../../src/adapters/kubernetes/server/table/table-text.ts'

const START = Date.parse('2026-01-01T00:00:00Z')

function sourceAt(resource: Resource, seconds: number) {
  return {
    resource,
    metadata: { resourceVersion: '7' },
    include: 'Metadata',
    metaVersion: 'v1',
    nowMs: START + seconds * 1000,
    hasHeader: true,
  } as const
}

function objectOf({ group, version, kind }: Resource, more: object): KubeObject {
  const apiVersion = group === '' ? version : `${group}/${version}`
  const metadata = { name: 'a "quoted" name', creationTimestamp: '2026-01-01T00:00:00Z' }
  return { apiVersion, kind, metadata, ...more } as KubeObject
}

const restarted = {
  spec: { containers: [{ name: 'c', image: 'i' }], nodeName: 'one' },
  status: {
    phase: 'Running',
    startTime: '2026-01-01T00:00:01Z',
    lastScheduleTime: '2026-01-01T00:00:02Z',
    containerStatuses: [
      {
        name: 'c',
        ready: true,
        restartCount: 2,
        state: { running: {} },
        lastState: { terminated: { finishedAt: '2026-01-01T00:00:03Z' } },
      },
    ],
  },
  lastTimestamp: '2026-01-01T00:00:04Z',
  firstTimestamp: '2026-01-01T00:00:05Z',
}

describe('the text of a table', () => {
  test('says what the tree of it says, of every kind and at every look', () => {
    for (const resource of builtinResources) {
      const objects = [objectOf(resource, {}), objectOf(resource, restarted)]
      const rows = objects.map(rowOf)
      for (const seconds of [60, 61, 86_400]) {
        const source = sourceAt(resource, seconds)
        const text = wholeOf(tableBody({ ...source, rows })).toString('utf8')
        const tree = tableOf({ ...source, objects })
        expect(JSON.parse(text), resource.id).toEqual(JSON.parse(JSON.stringify(tree)))
      }
    }
  })

  test('counts from the same moment on at the next look', () => {
    const pods = builtinResources.find(({ id }) => id === 'pods')
    if (pods === undefined) throw new Error('no pods')
    const rows = [rowOf(objectOf(pods, restarted))]
    const cellsAt = (seconds: number): unknown => {
      const text = wholeOf(tableBody({ ...sourceAt(pods, seconds), rows })).toString('utf8')
      return JSON.parse(text).rows[0].cells.slice(3, 5)
    }
    expect(cellsAt(60)).toEqual(['2 (57s ago)', '60s'])
    expect(cellsAt(3600)).toEqual(['2 (59m ago)', '60m'])
  })
})
