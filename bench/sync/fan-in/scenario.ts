/** How much each connection brings. The events are there before the clock starts. */
export interface FanIn {
  readonly connections: number
  readonly documents: number
  readonly eventsPerDocument: number
}

/** The name of the edge with this number. */
export function edgeName(index: number): string {
  return `edge-${String(index).padStart(5, '0')}`
}

/** How many events there are in all. */
export function eventsOf({ connections, documents, eventsPerDocument }: FanIn): number {
  return connections * documents * eventsPerDocument
}
