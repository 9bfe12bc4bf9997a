import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { configMap, type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const isSetsidThere = existsSync('/usr/bin/setsid')

/** Command lines that hold a word, other than that of the search. */
async function processesWith(word: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args='])
  return stdout.split('\n').filter((line) => line.includes(word))
}

async function groupsUnder(root: string): Promise<readonly string[]> {
  const controllers = await readdir('/sys/fs/cgroup').catch(() => [])
  const paths = ['', ...controllers].map((each) => join('/sys/fs/cgroup', each, root))
  return paths.filter((path) => existsSync(path))
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.filter((name) => name.includes('/') && !name.includes('scripts/')).sort()
}

describe.each([
  ['with what the machine gives', {}],
  ['without mounts and cgroups', { mounts: 'never', cgroups: 'never' }],
] as const)('nothing is left of a pod, %s', (_name, options) => {
  test('no process, no mount, no cgroup and no file', async () => {
    const place = await openPlace({}, options)
    try {
      await place.create(configMap('app', { a: '1' }))
      // A command line that nobody else on the machine has.
      const marker = `10${process.pid}${Date.now() % 100_000}`
      const daemon = isSetsidThere ? `(setsid sh -c 'sleep ${marker} & wait' &)` : ''
      await place.create(
        shellPod(
          'messy',
          `trap "" TERM; sleep ${marker} & ${daemon}\n echo up; while :; do sleep 0.1; done`,
          {
            terminationGracePeriodSeconds: 1,
            volumes: [
              { name: 'config', configMap: { name: 'app' } },
              { name: 'data', emptyDir: {} },
            ],
          },
          {
            resources: { limits: { memory: '64Mi', cpu: '500m' } },
            volumeMounts: [
              { name: 'config', mountPath: '/tideway-left/config' },
              { name: 'data', mountPath: '/etc/tideway-left' },
            ],
          },
        ),
      )
      await place.podWhere('messy', (each) => mainOf(each)?.state.running !== undefined)
      await expect.poll(() => place.log('messy')).toBe('up\n')
      expect((await processesWith(`sleep ${marker}`)).length).toBeGreaterThan(0)
      await place.store.delete({ resource: 'pods', namespace: 'default', name: 'messy' })
      await eventually(() => place.pod('messy') === undefined, 15_000)

      expect(await processesWith(`sleep ${marker}`)).toEqual([])
      expect(await filesIn(place.directory)).toEqual([
        'node/logs',
        'node/pods',
        'runtime/containers',
        'runtime/sandboxes',
        'runtime/scripts',
      ])
      await expectNothingOutside(place)
    } finally {
      await place.dispose()
    }
    expect(await groupsUnder(`tideway-test-${process.pid}`)).toEqual([])
    expect(existsSync(place.directory)).toBe(false)
  })
})

async function expectNothingOutside(place: EdgedPlace): Promise<void> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  expect(mounts).not.toContain(place.directory)
  for (const path of ['/tideway-left', '/etc/tideway-left']) expect(existsSync(path)).toBe(false)
}

test('limits: a pod past its memory limit is OOMKilled, with its CPU held down', async (context) => {
  const place = await openPlace({ restartBackoff: { firstMs: 100, maxMs: 100, resetAfterMs: 1e9 } })
  try {
    skipUnless(
      context,
      place.runtime.supports.limits,
      'writable cgroups',
      'run as root on Linux to check limits',
    )
    const hog = 'dd if=/dev/zero of=/dev/null bs=256M count=1'
    const resources = (limits: object) => ({ resources: { limits } })
    const once = { restartPolicy: 'Never' }
    await place.create(shellPod('hog', hog, once, resources({ memory: '32Mi' })))
    const status = await place.podWhere('hog', (each) => each.phase === 'Failed')
    expect(mainOf(status)?.state.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })

    const spin = 'end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do :; done; times'
    await place.create(shellPod('spin', spin, once, resources({ cpu: '200m' })))
    await place.podWhere('spin', (each) => each.phase === 'Succeeded', 30_000)
    // The second line of `times` is that of the children: user and system, as 0m0.123456s.
    const seconds = [...(await place.log('spin')).matchAll(/(\d+)m([\d.]+)s/g)]
      .map((match) => Number(match[1]) * 60 + Number(match[2]))
      .reduce((sum, each) => sum + each, 0)
    // At most 3 s by the clock, of which a fifth.
    expect(seconds).toBeLessThan(0.9)
  } finally {
    await place.dispose()
  }
})
