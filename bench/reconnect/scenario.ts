/** Two sides hold the same documents; these change while they are apart. */
export interface Scenario {
  readonly documents: number
  readonly changedAtCloud: number
  readonly changedAtEdge: number
}

export const SCENARIO: Scenario = { documents: 1000, changedAtCloud: 3, changedAtEdge: 2 }

/** The one field that an edit changes. */
export function edited(index: number): string {
  return `registry.example.com/shop/web:1.15.${index}`
}

/** Which documents are changed on which side: spread over all, never the same on both. */
export function changedDocuments(scenario: Scenario): {
  readonly cloud: number[]
  readonly edge: number[]
} {
  const step = Math.floor(
    scenario.documents / (scenario.changedAtCloud + scenario.changedAtEdge + 1),
  )
  const all = Array.from(
    { length: scenario.changedAtCloud + scenario.changedAtEdge },
    (_, index) => (index + 1) * step,
  )
  return { cloud: all.slice(0, scenario.changedAtCloud), edge: all.slice(scenario.changedAtCloud) }
}
