import { describe } from 'vitest'
import { engineSuite } from '../support/engine-suite.ts'

describe('Docker through its API', () => {
  engineSuite({ kind: 'docker', gaps: {} })
})
