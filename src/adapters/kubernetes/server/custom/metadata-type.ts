import { type StructType, structType } from '../schema/schema.ts'

const METADATA = structType('core.Pod')?.fields.get('metadata')

/** An object of which only the metadata is known. */
export const METADATA_TYPE: StructType = {
  name: 'unknown.Object',
  atomic: false,
  fields: new Map(METADATA === undefined ? [] : [['metadata', METADATA]]),
  wire: new Map(),
  numbers: [],
}
