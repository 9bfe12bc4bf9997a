import { describe, test } from 'vitest'
import { transportSuite } from '../../src/compliance/index.ts'
import { MemoryHub } from '../../src/transports/memory/index.ts'

describe('memory transport', () => {
  transportSuite({
    test,
    factory: () => place(new MemoryHub()),
  })
})

describe('memory transport with an injected scheduler', () => {
  transportSuite({
    test,
    // Turns that take longer one time than the next: order must not depend on them.
    factory: () => place(new MemoryHub({ schedule: uneven() })),
  })
})

function place(hub: MemoryHub) {
  return {
    transport: hub.transport(),
    listener: hub.listen('memory:here'),
    dispose: async () => undefined,
  }
}

function uneven(): (deliver: () => void) => void {
  let turn = 0
  return (deliver) => {
    turn += 1
    if (turn % 97 === 0) setTimeout(deliver, 1)
    else if (turn % 3 === 0) setImmediate(deliver)
    else queueMicrotask(deliver)
  }
}
