// Records what a real kube-apiserver, with a controller manager beside it, makes of the requests in
// test/fixtures/kubernetes-admission:
//   npx tsx scripts/kubernetes/record-admission.ts

import { writeFileSync } from 'node:fs'
import { withCluster } from '../../test/cluster/cluster.ts'
import {
  type AdmissionOutcome,
  admissionCases,
  playAdmission,
  RECORDED_ADMISSION,
} from '../../test/support/admission-cases.ts'
import { sendTo } from '../../test/support/kind-cases.ts'

await withCluster({ controllerManager: true, serviceAccounts: true }, async (cluster) => {
  const send = sendTo(cluster)
  const played: AdmissionOutcome[] = []
  for (const item of admissionCases()) played.push(await playAdmission(send, item))
  writeFileSync(RECORDED_ADMISSION, `${JSON.stringify(played, undefined, 1)}\n`)
})
