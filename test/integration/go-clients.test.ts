import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { writeKubeconfig } from 'tideway/adapters/kubernetes/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import {
  type AcceptedDifference,
  acceptedAs,
  compareAnswers,
  differenceText,
} from '../cluster/golden/compare.ts'
import { Normalizer } from '../cluster/golden/normalize.ts'
import type { GoldenAnswer } from '../cluster/golden/target.ts'
import { findOperator } from '../cluster/operator-program.ts'
import { CLUSTER_HINT, findPrograms } from '../cluster/programs.ts'
import { type IdentityServer, startIdentityServer } from '../support/identity-server.ts'
import { skipUnless } from '../support/skip.ts'

/** What a step of the program saw, by step. */
type Seen = ReadonlyMap<string, unknown>

/** How a server is used: operators of today, and those that turn off what is newer. */
const WAYS = [
  {
    media: 'protobuf',
    lists: 'watch-list',
    watch: /^WATCH configmaps sendInitialEvents=true .* 200 OK .*protobuf;stream=watch$/,
    again: /^WATCH configmaps sendInitialEvents=true .* resourceVersion=N 200 OK /,
  },
  {
    media: 'json',
    lists: 'list and watch',
    watch: /^WATCH configmaps allowWatchBookmarks=true resourceVersion=N 200 OK application\/json/,
    again: /^GET configmaps resourceVersion=N 200 OK /,
  },
] as const

const ROOT = 'token-of-root'
const RUN_MS = 90_000
const OUTPUT_BYTES_MAX = 16 * 2 ** 20

let operator: string | undefined
let ours: IdentityServer | undefined
let kubeconfig = ''
let real: Cluster | undefined

beforeAll(async () => {
  operator = await findOperator()
  const programs = await findPrograms()
  if (operator === undefined || programs === undefined) return
  ours = await startIdentityServer(undefined, { reopened: true })
  const { server, caPem, folder } = ours.api
  kubeconfig = join(folder, 'root.kubeconfig')
  await writeKubeconfig(kubeconfig, { server: server.url, caPem, token: ROOT, name: 'root' })
  real = await startCluster({ programs })
})
afterAll(async () => {
  await real?.close()
  await ours?.close()
})

/** Names are used once, as a second attempt meets what the first one left. */
let runs = 0

describe('an operator written in Go', () => {
  const met = new Set<AcceptedDifference>()

  test.for(WAYS)('sees of both servers the same ($media, $lists)', async (way, context) => {
    skipUnless(context, real !== undefined, 'the operator', CLUSTER_HINT)
    if (real === undefined) return
    runs++
    const [expected, seen] = await Promise.all([
      runOperator(real.kubeconfig, way),
      runOperator(kubeconfig, way),
    ])
    expect([...seen.keys()].sort()).toEqual([...expected.keys()].sort())
    expect(expected.get('informers/requests')).toContainEqual(expect.stringMatching(way.watch))
    // The history of a server that was started anew begins there.
    expect(seen.get('watches/expired')).toEqual({ isExpired: true, reason: 'Expired' })
    expect(seen.get('informers/all-requests')).toContainEqual(expect.stringMatching(way.again))
    const one = new Normalizer()
    const other = new Normalizer()
    const differing: string[] = []
    for (const [step, value] of expected) {
      if (BY_HISTORY.has(step)) continue
      const there = one.normalize(answerOf(value))
      const here = other.normalize(answerOf(seen.get(step)))
      for (const difference of compareAnswers(there, here)) {
        const accepted = acceptedAs(step, difference, ACCEPTED)
        if (accepted === undefined) differing.push(`${step} ${differenceText(difference)}`)
        else met.add(accepted)
      }
    }
    expect(differing.join('\n')).toBe('')
  })

  test('sees no difference that is accepted for nothing', (context) => {
    skipUnless(context, real !== undefined, 'the operator', CLUSTER_HINT)
    expect(ACCEPTED.filter((entry) => !met.has(entry)).map(({ reason }) => reason)).toEqual([])
  })
})

/** What depends on how much a server remembers, which for a young cluster is everything. */
const BY_HISTORY: ReadonlySet<string> = new Set(['watches/expired', 'informers/all-requests'])

/** What is otherwise on purpose. */
const ACCEPTED: readonly AcceptedDifference[] = [
  {
    reason: 'what is wrong is told once, not once for each check that finds it',
    path: '^body\\.details\\.causes(\\.1)?$',
    request: '^(owners/held-by-more|apply/other-uid)$',
  },
  {
    reason: 'what is wrong is shown with its fields in another order',
    path: '^body\\.(message|details\\.causes\\.0\\.message)$',
    request: '^(owners/two-controllers|objects/patch-wrong-type)$',
  },
  {
    reason: 'a JSON patch that does not fit is refused with what did not fit',
    path: '^body\\.(message|details)$',
    request: '^objects/patch-json-',
  },
  {
    reason: 'nobody owns the fields that the server itself writes',
    path: '^body\\.metadata\\.managedFields\\.',
    request: '^custom/definition$',
  },
  {
    reason: 'what goes is shown with the version at which it went',
    path: '^body\\.metadata\\.resourceVersion$',
    request: '^owners/let-go$',
  },
  {
    reason:
      'later pages of a list show what is there now, and a watch from the list tells the rest',
    request: '^lists/next-page-of-then$',
  },
]

function answerOf(saw: unknown): GoldenAnswer {
  return { status: 0, contentType: '', warnings: [], body: saw }
}

/** Runs the program against a server, and resolves with what it printed. */
function runOperator(target: string, way: (typeof WAYS)[number]): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const args = [`-kubeconfig=${target}`, `-run=run-${runs}`, `-media=${way.media}`]
    const options = {
      env: { KUBE_FEATURE_WatchListClient: String(way.lists === 'watch-list') },
      timeout: RUN_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    }
    execFile(operator ?? '', args, options, (error, stdout, stderr) => {
      if (error !== null) {
        reject(new Error(`the operator did not get through:\n${stderr}`, { cause: error }))
        return
      }
      const lines = stdout.trim().split('\n')
      const steps = lines.map((line) => JSON.parse(line) as { step: string; saw: unknown })
      resolve(new Map(steps.map(({ step, saw }) => [step, saw])))
    })
  })
}
