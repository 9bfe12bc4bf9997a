import { expect, test } from 'vitest'
import { sharesHostPort } from '../../../../../src/adapters/edged/admission/host-ports.ts'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

function serving(...ports: readonly JsonObject[]): KubeObject {
  return pod({ containers: [{ name: 'main', ports }] }).object
}

const WEB = { containerPort: 80, hostPort: 8080 }

test.each<[string, JsonObject, boolean]>([
  ['the same port', WEB, true],
  ['the same port at one address', { ...WEB, hostIP: '10.0.0.1' }, true],
  ['another protocol', { ...WEB, protocol: 'UDP' }, false],
  ['another port', { ...WEB, hostPort: 8081 }, false],
  ['no port of the machine', { containerPort: 8080 }, false],
])('%s', (_name, port, isTaken) => {
  expect(sharesHostPort(serving(port), [serving(WEB)])).toBe(isTaken)
})

test('ports at two addresses are two ports', () => {
  const [a, b] = ['10.0.0.1', '10.0.0.2'].map((hostIP) => serving({ ...WEB, hostIP }))
  expect(sharesHostPort(a as KubeObject, [b as KubeObject])).toBe(false)
})

test('sidecars have ports, too; init containers that end have not', () => {
  const with_ = (restartPolicy: string): KubeObject =>
    pod({ initContainers: [{ name: 'i', ports: [WEB], restartPolicy }] }).object
  expect(sharesHostPort(serving(WEB), [with_('Always')])).toBe(true)
  expect(sharesHostPort(serving(WEB), [with_('')])).toBe(false)
})
