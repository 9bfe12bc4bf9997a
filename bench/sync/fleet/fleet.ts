/** How large a fleet is. */
export interface Fleet {
  readonly edges: number
  readonly documentsPerEdge: number
}

/** One document of an edge. */
export function statusId(edge: string, number: number): string {
  return `status/${edge}/${String(number).padStart(4, '0')}`
}
