import { expect, test } from 'vitest'
import { stopOrder } from '../../../../../src/adapters/edged/hooks/stop-order.ts'
import { pod, run } from '../pods.ts'

const sidecar = (name: string) => ({ name, restartPolicy: 'Always' })
const served = pod({
  initContainers: [sidecar('net'), { name: 'setup' }, sidecar('log')],
  containers: [{ name: 'main' }, { name: 'other' }],
})

function order(names: readonly string[]): string {
  const active = names.map((name) => run(served, name))
  return stopOrder(served, active)
    .map(({ container, after }) => `${container.name}(${after.join(' ')})`)
    .join(' ')
}

test('sidecars end after all others, the last started first', () => {
  expect(order(['net', 'main', 'log', 'other'])).toBe(
    'main() other() log(main-0 other-0) net(main-0 other-0 log-0)',
  )
})

test('nobody waits for what does not run', () => {
  expect(order(['net', 'other'])).toBe('other() net(other-0)')
  expect(order(['log', 'net'])).toBe('log() net(log-0)')
})

test('a plain init container waits for nobody and nobody for it', () => {
  expect(order(['net', 'setup'])).toBe('setup() net()')
})

test('what the pod does not know goes at once', () => {
  expect(order(['net', 'stranger'])).toBe('stranger() net()')
})
