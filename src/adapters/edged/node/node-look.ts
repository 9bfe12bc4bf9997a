import type { EdgedOptions } from '../edged.ts'
import { evictionSettings } from '../eviction/settings.ts'
import { readNodeFacts } from './node-facts.ts'
import { nodeImages } from './node-images.ts'
import type { NodeFacts } from './node-status.ts'

/** Looks at the machine and at its runtime: at everything but what runs short. */
export async function lookAtNode(options: EdgedOptions): Promise<Omit<NodeFacts, 'pressure'>> {
  const { node: name, version, runtime, directory, addresses, capacity } = options
  const runtimeVersion = `${runtime.name}://${runtime.version}`
  const { thresholds } = evictionSettings(options.eviction ?? {})
  const place = { directory, addresses, capacity, thresholds }
  const facts = await readNodeFacts({ name, version, runtimeVersion, ...place })
  // An engine that does not answer now had images all the same: what was said of them stands.
  const images = await runtime.images?.images().catch(() => undefined)
  return images === undefined ? facts : { ...facts, images: nodeImages(images) }
}
