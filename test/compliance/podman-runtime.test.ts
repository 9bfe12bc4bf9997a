import { describe } from 'vitest'
import { engineSuite } from '../support/engine-suite.ts'

describe('Podman through its API', () => {
  engineSuite({
    kind: 'podman',
    gaps: {
      'a stdin that is open to all goes on after one of them has left':
        'podman ends the stdin of a container with the first who leaves',
    },
  })
})
