// Records what a real kube-apiserver makes of the cases in test/fixtures/kubernetes-custom:
//   node scripts/kubernetes/record-custom.ts https://127.0.0.1:6443 TOKEN
// The server has to be new: no object of the cases may exist yet. Its certificate is not checked.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CUSTOM_CASES_FOLDER,
  customCaseFiles,
  customCases,
  type PlayedCustom,
  playCustom,
} from '../../test/support/custom-cases.ts'
import { sendTo } from '../../test/support/kind-cases.ts'

const [server, token] = process.argv.slice(2)
if (server === undefined || token === undefined) throw new Error('needs the URL and a token')

const send = sendTo({ url: server, token })
for (const file of customCaseFiles()) {
  const played: PlayedCustom[] = []
  for (const item of customCases(file)) played.push(await playCustom(send, item))
  const path = join(CUSTOM_CASES_FOLDER, `${file}.recorded.json`)
  writeFileSync(path, `${JSON.stringify(played, undefined, 1)}\n`)
}
