import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { documentKinds } from '../../../../../src/adapters/kubernetes/objects/kinds.ts'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import { genesisEvent } from '../../../../../src/core/document/kind.ts'
import { sha256 } from '../../../../support/memory-log.ts'

// Replicas of all versions have to begin a kind with the same event: a changed hash splits every object.
// A kind that begins otherwise gets a new name, and a line of its own in the fixture.
const fixture = new URL('../../../../fixtures/genesis/v1.json', import.meta.url)

test('each kind begins with the event that it always began with', () => {
  const pinned = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, string>
  const kinds = documentKinds(builtinResources).filter((kind) => kind.skeleton.length > 0)
  expect(kinds.length).toBeGreaterThan(10)
  for (const kind of kinds) {
    expect(genesisEvent(kind, sha256)?.header.hash, kind.name).toBe(pinned[kind.name])
  }
})
