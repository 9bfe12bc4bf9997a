import type { Writer } from '../../src/adapters/kubernetes/server/apply/apply.ts'

/** Who writes an object in tests of the owners of fields. */
export function writerOf(manager: string, more: Partial<Writer> = {}): Writer {
  return {
    manager,
    apiVersion: 'v1',
    subresource: '',
    time: '2026-01-01T00:00:00Z',
    ...more,
  }
}
