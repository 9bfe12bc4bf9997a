import { expect, test } from 'vitest'
import {
  containerVariables,
  mountVariable,
  splitByName,
} from '../../../../src/adapters/runtime/process/environment.ts'

test.each([
  ['data', 'TIDEWAY_MOUNT_DATA'],
  ['app-config.v1', 'TIDEWAY_MOUNT_APP_CONFIG_V1'],
])('the volume %s is in %s', (volume, variable) => {
  expect(mountVariable(volume)).toBe(variable)
})

test('the variables say where things are, with and without mounts', () => {
  const sandbox = { namespace: 'n', name: 'p', uid: 'u', hostname: 'h', directory: '/pods/u' }
  const mounts = [
    { volume: 'data', source: '/pods/u/volumes/data', path: '/data', readOnly: false },
    { volume: 'data', source: '/pods/u/volumes/data/sub', path: '/sub', readOnly: false },
  ]
  const variables = (mounted: boolean) =>
    containerVariables(sandbox, { name: 'main', mounts }, mounted, { PATH: '/bin', HOSTNAME: 'x' })
  expect(variables(true)).toEqual({
    PATH: '/bin',
    HOSTNAME: 'h',
    TIDEWAY_MOUNT_DATA: '/data',
    TIDEWAY_POD_DIR: '/pods/u/root/main',
  })
  expect(variables(false)['TIDEWAY_MOUNT_DATA']).toBe('/pods/u/volumes/data')
})

test('names that a shell would drop are set apart', () => {
  expect(splitByName({ A_1: 'x', 'app.port': '1', '-x': 'y' })).toEqual({
    plain: { A_1: 'x' },
    odd: ['app.port=1', '-x=y'],
  })
})
