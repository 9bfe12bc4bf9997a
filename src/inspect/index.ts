// Shows what replicas say to each other. For people who look for a fault, and for tests.

export { type DescribeOptions, describeMessage } from './describe.ts'
export { type TapOptions, tap, tapListener } from './tap.ts'
