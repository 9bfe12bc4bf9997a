import { expect, test } from 'vitest'
import { evictionSettings, nodeLimitsOf } from '../../../examples/edgecore/eviction-settings.ts'
import { ProgramError } from '../../../examples/shared/program-error.ts'
import { resolveSettings } from '../../../examples/shared/resolve-settings.ts'
import { createEdged, type EdgedOptions } from '../../../src/adapters/edged/index.ts'

async function limits(flags: Readonly<Record<string, string>> = {}) {
  const sources = { flags, env: {}, envPrefix: 'TIDEWAY_TEST_', file: undefined }
  return nodeLimitsOf(await resolveSettings(evictionSettings, sources))
}

async function refusalOf(flags: Readonly<Record<string, string>>): Promise<string> {
  const error = await limits(flags).catch((reason: unknown) => reason)
  if (!(error instanceof ProgramError)) throw new Error(`not refused: ${String(error)}`)
  expect([error.code, error.exitCode]).toEqual(['SETTING_INVALID', 2])
  return error.message
}

test('without settings everything is as kubelet has it', async () => {
  expect(await limits()).toEqual({
    eviction: {
      hard: undefined,
      soft: {},
      softGraceMs: {},
      minimumReclaim: undefined,
      transitionMs: 300_000,
      podGraceMsMax: 0,
    },
    imageCollection: { highPercent: 85, lowPercent: 80, ageMsMin: 120_000 },
    podProcessesMax: undefined,
  })
  expect((await limits({ podMaxPids: '500' })).podProcessesMax).toBe(500)
})

test('thresholds are written as for kubelet', async () => {
  const { eviction, imageCollection } = await limits({
    evictionHard: 'memory.available<1Gi, nodefs.available<5%',
    evictionSoft: 'memory.available<2Gi',
    evictionSoftGracePeriod: 'memory.available=1m30s',
    evictionMinimumReclaim: 'nodefs.available=500Mi',
    evictionPressureTransitionPeriod: '30s',
    evictionMaxPodGracePeriod: '60',
    imageGcHighThreshold: '70',
    imageGcLowThreshold: '70',
  })
  expect(eviction).toEqual({
    hard: { 'memory.available': '1Gi', 'nodefs.available': '5%' },
    soft: { 'memory.available': '2Gi' },
    softGraceMs: { 'memory.available': 90_000 },
    minimumReclaim: { 'nodefs.available': '500Mi' },
    transitionMs: 30_000,
    podGraceMsMax: 60_000,
  })
  expect(imageCollection).toMatchObject({ highPercent: 70, lowPercent: 70 })
  expect((await limits({ evictionHard: '' })).eviction.hard).toEqual({})
})

test('what is wrong is refused, with what is allowed', async () => {
  for (const text of ['memory<1Gi', 'memory.available=1Gi', 'memory.available<', 'x', ',']) {
    expect(await refusalOf({ evictionHard: text })).toContain('signals are memory.available')
  }
  const twice = 'memory.available<1Gi,memory.available<2Gi'
  expect(await refusalOf({ evictionHard: twice })).toContain('each once')
  expect(await refusalOf({ evictionSoft: 'nodefs.available<20%' })).toBe(
    '--eviction-soft: nodefs.available has no grace period; allowed: --eviction-soft-grace-period with nodefs.available=DURATION',
  )
  expect(await refusalOf({ evictionSoftGracePeriod: 'memory.available=0s' })).toContain('1m30s')
  expect(await refusalOf({ imageGcLowThreshold: '90' })).toContain('at most 85')
  expect(await refusalOf({ podMaxPids: '-1' })).toContain('from 0 to 4194304')
  expect(await refusalOf({ imageGcHighThreshold: '101' })).toContain('from 0 to 100')
})

test('edged refuses what makes no sense where it is made', () => {
  const options = { eviction: { hard: { 'memory.available': 'much' } } }
  expect(() => createEdged(options as unknown as EdgedOptions)).toThrow(
    'a threshold of eviction.hard is wrong',
  )
})
