// Runs in a pod: a client that knows nothing but what Kubernetes gives to every pod. It writes down what
// it found in the config map "NAME", and once there is a config map "go", in "NAME-again".

import { existsSync, readFileSync } from 'node:fs'
import { AuthenticationV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node'

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
const LOOK_MS = 200

const [name] = process.argv.slice(2)
const config = new KubeConfig()
// Where the machine allows no mounts, the files are below the directory of the pod.
const root = existsSync(FOLDER) ? '' : process.env['TIDEWAY_POD_DIR']
config.loadFromCluster(root)
const core = config.makeApiClient(CoreV1Api)
const namespace = readFileSync(`${root}${FOLDER}/namespace`, 'utf8')

async function write(map) {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const { status } = await config
    .makeApiClient(AuthenticationV1Api)
    .createSelfSubjectReview({ body: review })
  const data = {
    user: JSON.stringify(status?.userInfo),
    host: String(process.env['KUBERNETES_SERVICE_HOST']),
    web: String(process.env['WEB_PORT']),
    mounted: String(root === ''),
  }
  const metadata = { name: map, namespace }
  await core.createNamespacedConfigMap({ namespace, body: { metadata, data } })
}

await write(name)
for (;;) {
  const { items } = await core.listNamespacedConfigMap({ namespace })
  if (items.some((item) => item.metadata?.name === 'go')) break
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
}
await write(`${name}-again`)
setInterval(() => undefined, 60_000)
