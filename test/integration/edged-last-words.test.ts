import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
})

/** What a container that ran `script` once has left behind, as its pod's status says it. */
async function lastWords(
  script: string,
  main: object = {},
  mounts: 'auto' | 'never' = 'auto',
): Promise<string | undefined> {
  const place = await openPlace({}, { mounts })
  places.push(place)
  await place.create(shellPod('job', script, { restartPolicy: 'Never' }, main))
  const status = await place.podWhere('job', (each) =>
    ['Succeeded', 'Failed'].includes(each.phase ?? ''),
  )
  return mainOf(status)?.state.terminated?.message
}

const FALLBACK = { terminationMessagePolicy: 'FallbackToLogsOnError' }

test.each<[string, string, object, string | undefined]>([
  ['a file', 'printf gone > "$TIDEWAY_TERMINATION_LOG"; exit 3', {}, 'gone'],
  ['nothing', 'echo noise; exit 3', {}, undefined],
  [
    'a file before the log',
    'echo noise; printf a > "$TIDEWAY_TERMINATION_LOG"; exit 3',
    FALLBACK,
    'a',
  ],
  ['the log of a failure', 'echo one; echo two; exit 3', FALLBACK, 'one\ntwo\n'],
  ['no log of a success', 'echo fine', FALLBACK, undefined],
  ['the last lines of the log', 'seq 1 1000; exit 3', FALLBACK, `${lines(921, 1000)}`],
])('a container leaves %s', async (_name, script, main, expected) => {
  expect(await lastWords(script, main)).toBe(expected)
})

function lines(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join('')
}

test.each(['auto', 'never'] as const)(
  'the file is found at its path, with mounts %s, and only its end counts',
  async (mounts) => {
    const script =
      'head -c 5000 /dev/zero | tr "\\0" a > "$TIDEWAY_TERMINATION_LOG"; printf end >> "$TIDEWAY_TERMINATION_LOG"'
    const main = { terminationMessagePath: '/tideway-test-words/log' }
    const found = await lastWords(script, main, mounts)
    expect(found).toBe(`${'a'.repeat(4093)}end`)
    expect(existsSync('/tideway-test-words')).toBe(false)
  },
)

test('a link in the place of the file is not followed', async () => {
  const script = 'rm "$TIDEWAY_TERMINATION_LOG"; ln -s /etc/passwd "$TIDEWAY_TERMINATION_LOG"'
  expect(await lastWords(script, {}, 'never')).toBeUndefined()
  const [place] = places
  const uid = place?.pod('job')?.metadata.uid ?? ''
  expect(existsSync(join(place?.directory ?? '', 'node', 'pods', uid, 'containers'))).toBe(true)
})
