// Records what a real kube-apiserver makes of the cases in test/fixtures/kubernetes-kinds:
//   node scripts/kubernetes/record-kinds.ts https://127.0.0.1:6443 TOKEN
// The server has to be new: no object of the cases may exist yet. Its certificate is not checked.

import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import {
  KIND_CASES_FOLDER,
  kindCaseFiles,
  kindCases,
  type Outcome,
  type Played,
  playCase,
  type Send,
} from '../../test/support/kind-cases.ts'

const [server, token] = process.argv.slice(2)
if (server === undefined || token === undefined) throw new Error('needs the URL and a token')

const send: Send = (method, path, { body, type, accept } = {}) =>
  new Promise<Outcome>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      accept: accept ?? 'application/json',
      'content-type': type ?? 'application/json',
    }
    const sent = request(
      new URL(path, server),
      { method, headers, rejectUnauthorized: false },
      (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += String(chunk)
        })
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })

for (const file of kindCaseFiles()) {
  const played: Played[] = []
  for (const item of kindCases(file)) played.push(await playCase(send, item))
  const path = join(KIND_CASES_FOLDER, `${file}.recorded.json`)
  writeFileSync(path, `${JSON.stringify(played, undefined, 1)}\n`)
}
