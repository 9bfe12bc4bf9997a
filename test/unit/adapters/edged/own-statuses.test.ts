import { expect, test } from 'vitest'
import { OwnStatuses } from '../../../../src/adapters/edged/own-statuses.ts'
import type { KubeObject, ObjectEvent } from '../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from './pods.ts'

const RUNNING = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

function changed(
  over: Partial<KubeObject> = {},
  type: ObjectEvent['type'] = 'MODIFIED',
): ObjectEvent {
  const previous = pod({}, { resourceVersion: '7' }, { phase: 'Pending' }).object
  const metadata = { ...previous.metadata, resourceVersion: '9' }
  const object = { ...previous, metadata, status: RUNNING, ...over }
  return { type, object, previous, resourceVersion: 9 }
}

async function isOwn(event: ObjectEvent, uid = 'u-1'): Promise<boolean> {
  const statuses = new OwnStatuses()
  return await statuses.during(uid, RUNNING, async () => statuses.isOwn(event))
}

test('a change that is just the status which is being written is our own', async () => {
  expect(await isOwn(changed())).toBe(true)
})

test('whatever else has changed with it makes it another one', async () => {
  const { metadata, ...rest } = changed().object
  const labelled = { ...metadata, labels: { app: 'other' } }
  const deleted = { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }
  expect(await isOwn(changed({ metadata: labelled }))).toBe(false)
  expect(await isOwn(changed({ metadata: deleted }))).toBe(false)
  expect(await isOwn(changed({ spec: { nodeName: 'edge-2' } }))).toBe(false)
  expect(await isOwn(changed({ status: { ...RUNNING, message: 'of somebody else' } }))).toBe(false)
  expect(await isOwn(changed({ ...rest }, 'DELETED'))).toBe(false)
  expect(await isOwn(changed({ ...rest }, 'ADDED'))).toBe(false)
})

test('what is said of another pod, or before and after the write, is not', async () => {
  expect(await isOwn(changed(), 'u-2')).toBe(false)
  const statuses = new OwnStatuses()
  expect(statuses.isOwn(changed())).toBe(false)
  const failed = statuses.during('u-1', RUNNING, () => Promise.reject(new Error('full')))
  await expect(failed).rejects.toThrow('full')
  expect(statuses.isOwn(changed())).toBe(false)
})
