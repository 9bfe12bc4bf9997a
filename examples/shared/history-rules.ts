import type { CompactionOptions } from 'tideway'

/** Each secret is a collection of its own. What it once was is nobody's business. */
const withoutHistory = (collection: string): boolean => collection.startsWith('secret/')

/** The cloud owns every collection: it alone cuts histories. */
export const CLOUD_HISTORY: CompactionOptions = { owns: () => true, withoutHistory }

/** A node takes over what the cloud has cut, and takes old secrets off its own disk too. */
export const NODE_HISTORY: CompactionOptions = { owns: () => false, withoutHistory }
