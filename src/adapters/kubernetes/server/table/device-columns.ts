import { at, isList, listAt, objectAt, textAt } from '../json.ts'
import { AGE, type Cell, column, NAME, type TableColumn } from './column.ts'

/** What a claim has come to: nothing yet, devices, and those who use them. */
const claimState: Cell = (claim) => {
  const isAllocated = at(claim, 'status', 'allocation') !== undefined
  const states = [
    ...(claim.metadata.deletionTimestamp === undefined ? [] : ['deleted']),
    ...(isAllocated ? ['allocated'] : []),
    ...(listAt(claim, 'status', 'reservedFor').length > 0 ? ['reserved'] : []),
  ]
  return states.length === 0 ? 'pending' : states.join(',')
}

/** Where the devices of a slice are reached. */
const sliceNode: Cell = (slice) => {
  const spec = objectAt(slice, 'spec')
  if (spec['allNodes'] === true) return '<All>'
  if (isList(at(spec, 'nodeSelector', 'nodeSelectorTerms'))) return '<NodeSelector>'
  return textAt(spec, 'nodeName')
}

/** The columns of the kinds with which devices are given to pods, by resource id. */
export const DEVICE_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  'deviceclasses.resource.k8s.io': [NAME, AGE],
  'resourceclaims.resource.k8s.io': [
    NAME,
    column('State', 'What the claim has come to.', claimState),
    AGE,
  ],
  'resourceclaimtemplates.resource.k8s.io': [NAME, AGE],
  'resourceslices.resource.k8s.io': [
    NAME,
    column('Node', 'Where the devices are.', sliceNode),
    column('Driver', 'Who drives them.', (slice) => textAt(slice, 'spec', 'driver')),
    column('Pool', 'The pool that they are of.', (slice) => textAt(slice, 'spec', 'pool', 'name')),
    AGE,
  ],
}
