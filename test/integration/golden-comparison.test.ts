import { readFile } from 'node:fs/promises'
import { type ApiServerOptions, bearerToken, sameToken } from 'tideway/adapters/kubernetes/server'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { withCluster } from '../cluster/cluster.ts'
import { type AcceptedDifference, differenceText } from '../cluster/golden/compare.ts'
import { readRequests } from '../cluster/golden/request-files.ts'
import { type GoldenResult, runComparison } from '../cluster/golden/run.ts'
import { CLUSTER_HINT, findPrograms } from '../cluster/programs.ts'
import { startTestApiServer } from '../support/api-server.ts'
import { skipUnless } from '../support/skip.ts'
import { startWebhookServer } from '../support/webhook-server.ts'

const GOLDEN = new URL('../cluster/golden/', import.meta.url)

/** How many of the differences of one request are told. */
const SHOWN_MAX = 3

test('a real kube-apiserver and this one give the same answers', async (context) => {
  const programs = await findPrograms()
  skipUnless(context, programs !== undefined, 'kube-apiserver', CLUSTER_HINT)
  if (programs === undefined) return
  const accepted = await readAccepted()
  const result = await withCluster({ programs }, async (cluster) => {
    const none = (): never => {
      throw new Error('nothing runs in pods here')
    }
    const streams = { exec: none, attach: none, portForward: none }
    const ours = await startTestApiServer({ authenticate: testerBy(cluster.token), streams })
    // The same webhooks are asked by both.
    const { url, caBundle, close } = await startWebhookServer()
    const given = { hooks: { url, caBundle } }
    try {
      const servers = {
        real: { url: cluster.url, caPem: cluster.caPem, token: cluster.token, given },
        ours: { url: ours.server.url, caPem: ours.caPem, token: ours.token, given },
      }
      return await runComparison(await readRequests(), servers, accepted)
    } finally {
      await close()
      await ours.close()
    }
  })
  const { count, differing } = result
  console.warn(
    `golden comparison: ${count - differing.size} of ${count} requests agree, ` +
      `${differing.size} differ, ${accepted.length} kinds of difference are accepted`,
  )
  const told = [...differing.keys()].map((id) => tell(id, result))
  expect(told.join('\n'), 'answers that differ').toBe('')
  const unmet = accepted.filter((entry) => !result.met.has(entry)).map((entry) => entry.reason)
  expect(unmet.join('\n'), 'accepted differences that no answer shows any more').toBe('')
})

/** The user of both servers. */
function testerBy(token: string): ApiServerOptions['authenticate'] {
  const groups = ['system:masters', 'system:authenticated']
  return (request) =>
    sameToken(bearerToken(request) ?? '', token)
      ? { name: 'tester', uid: 'tester-uid', groups }
      : undefined
}

async function readAccepted(): Promise<readonly AcceptedDifference[]> {
  const text = await readFile(new URL('accepted-differences.yaml', GOLDEN), 'utf8')
  return parse(text) as readonly AcceptedDifference[]
}

function tell(id: string, { differing }: GoldenResult): string {
  const lines = (differing.get(id) ?? []).slice(0, SHOWN_MAX).map(differenceText)
  return [id, ...lines].join('\n    ')
}
